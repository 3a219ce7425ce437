"""Submit, check, withdraw and delete signatures.

Each action validates first, then writes rows, event and outbox in one transaction. Actors are `kind:name`,
such as `app:7d43…`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from smsign.actions import sandbox
from smsign.actions.events import record, record_submitted
from smsign.actions.idempotency import IdempotentWrite
from smsign.domain import content as contents
from smsign.domain import images, quotas, signatures
from smsign.domain.apps import App
from smsign.domain.events import Kind
from smsign.domain.idempotency import fingerprint
from smsign.domain.signatures import Rules, Signature, Status, Submission
from smsign.errors import ApiError, Conflict, Problem, raise_if_any, rank
from smsign.storage.blobs.store import Blobs
from smsign.storage.blobs.upload import Upload
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import leases
from smsign.storage.rows import quotas as quota_rows
from smsign.storage.rows import signatures as rows


async def submit(
    db: Database,
    blobs: Blobs,
    rules: Rules,
    *,
    app: App,
    signature_id: int | None = None,
    fields: Mapping[str, str],
    uploads: Sequence[Upload],
    problems: Sequence[Problem] = (),
    actor: str,
    now: int,
    key: str | None = None,
) -> int:
    """Submit a new signature, or a new version of `signature_id`, to the audit; return its id.

    Contract: Create Signature API, Modify Signature API. `problems` were found while the request was read;
    `key` is the Idempotency-Key.

    Raises: ApiError 50007, 50104, 50101 if it is invalid, 50103 while another is in the audit, 50102 to
    modify one that is unknown or passed, 51002 if the key was used for another submission, 51003 above the
    daily limit.
    """
    submission, found = await _validate(rules, fields, uploads)
    raise_if_any([*problems, *found])
    for upload in uploads:  # before the transaction, so that no row references a missing blob
        await upload.store(blobs)

    async def change(tx: Tx) -> int:
        if signature_id is None:
            submitted = await _insert(tx, app.id, submission, actor=actor, now=now)
        else:
            submitted = await _update(tx, app.id, signature_id, submission, actor=actor, now=now)
        if app.test_delay_ms == 0:
            await sandbox.decide_now(tx, app.id, submitted, now=now)
        return submitted

    limit = quotas.limit_of(app, rules)
    if key is None and not limit:
        return await db.write(change)
    once = IdempotentWrite(app.id, key, fingerprint(signature_id, submission), limit, now)
    return await once.write(db, change)


async def delete(db: Database, *, app: App, signature_id: int, actor: str, now: int) -> None:
    """Delete a signature (soft delete); this also withdraws it from the audit.

    Contract: Delete Signature API.

    Raises: ApiError 50102 for an unknown one, 50105 for the one in use.
    """

    async def change(tx: Tx) -> None:
        signature = await _lock(tx, app.id, signature_id)
        holder = await app_rows.lock(tx, app.id)
        signatures.check_delete(signature, in_use_id=holder.in_use_id)
        await rows.update_deleted(tx, signature, now=now)
        await record(tx, app.id, signature_id, Kind.DELETED, actor=actor, now=now)

    await db.write(change)


async def withdraw(db: Database, *, app: App, signature_id: int, actor: str, now: int) -> None:
    """Withdraw a signature from the audit without a decision; it can be modified and submitted again.

    Raises: ApiError 50102 if it is unknown or not in the audit.
    """

    async def change(tx: Tx) -> None:
        signature = await _lock(tx, app.id, signature_id)
        signatures.check_withdraw(signature)
        await rows.update_status(tx, signature, status=Status.REFUSED)
        await leases.delete(tx, signature_id)
        data = {"version": signature.version}
        await record(tx, app.id, signature_id, Kind.WITHDRAWN, actor=actor, now=now, data=data)

    await db.write(change)


async def check(
    db: Database,
    rules: Rules,
    *,
    app: App,
    signature_id: int | None,
    fields: Mapping[str, str],
    uploads: Sequence[Upload],
    problems: Sequence[Problem] = (),
    now: int,
) -> list[Problem]:
    """Return the problems of a submission without storing anything, each with its code.

    They are in the order in which the calls would report them (wire.md, The order of errors).
    """
    signature = await rows.find(db.read, app.id, signature_id) if signature_id is not None else None
    unknown = _problems(signatures.unknown_id()) if signature_id is not None and signature is None else []
    _, found = await _validate(rules, fields, uploads)
    later = []
    limit = quotas.limit_of(app, rules)
    if limit and await quota_rows.get(db.read, app.id, quotas.day_of(now)) >= limit:
        later += _problems(quotas.limit_exceeded(limit, now))
    if (in_audit := await rows.find_in_audit(db.read, app.id)) is not None:
        later += _problems(signatures.other_in_audit(in_audit))
    if signature is not None and signature.status == Status.PASSED:
        later += _problems(signatures.passed_already(signature))
    return [*unknown, *rank([*problems, *found]), *later]


def _problems(error: ApiError) -> list[Problem]:
    return [msgspec.structs.replace(problem, code=error.code) for problem in error.problems]


async def _insert(tx: Tx, app_id: int, submission: Submission, *, actor: str, now: int) -> int:
    inserted = await rows.insert(tx, app_id, content=submission.content, now=now)
    if inserted is None:
        raise signatures.other_in_audit(await rows.find_in_audit(tx, app_id))
    signature_id, has_callbacks = inserted
    await rows.insert_version(tx, app_id, signature_id, 1, submission, actor=actor, now=now)
    await record_submitted(
        tx,
        app_id,
        signature_id,
        submission,
        actor=actor,
        now=now,
        has_callbacks=has_callbacks,
    )
    return signature_id


async def _update(
    tx: Tx, app_id: int, signature_id: int, submission: Submission, *, actor: str, now: int
) -> int:
    signature = await _lock(tx, app_id, signature_id)
    signatures.check_resubmit(signature, in_audit=await rows.find_in_audit(tx, app_id))
    try:
        await rows.update_resubmitted(tx, signature, content=submission.content, now=now)
    except Conflict:  # lost a race
        raise signatures.other_in_audit(None) from None
    n = signature.version + 1
    await rows.insert_version(tx, app_id, signature_id, n, submission, actor=actor, now=now)
    data = submission.event_data(n)
    await record(tx, app_id, signature_id, Kind.RESUBMITTED, actor=actor, now=now, data=data)
    return signature_id


async def _lock(tx: Tx, app_id: int, signature_id: int) -> Signature:
    signature = await rows.lock(tx, app_id, signature_id)
    if signature is None:
        raise signatures.unknown_id()
    return signature


async def _validate(
    rules: Rules, fields: Mapping[str, str], uploads: Sequence[Upload]
) -> tuple[Submission, list[Problem]]:
    """Return the submission and all its problems."""
    content = contents.normalize(fields.get("sign", ""))
    texts = {name: text for name, text in fields.items() if name != "sign"}
    problems = signatures.check_fields(texts)
    if content:
        problems += contents.check(content, at_least=rules.content_min, at_most=rules.content_max)
    else:
        problems.append(signatures.missing_content())
    slots, misplaced = images.assign_slots([upload.field for upload in uploads])
    problems += misplaced
    for upload, slot in zip(uploads, slots, strict=True):
        problems += await upload.validate(slot, rules)
    stored = tuple(each.image for each in uploads if each.image is not None)
    return Submission(content, texts, stored), problems

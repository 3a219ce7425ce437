"""Rows changed without an event: the verification names each, with what was, what is, and where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from smsign.actions import accounts, apps, ledger, reasons
from smsign.config import Settings
from smsign.domain import events
from smsign.domain.accounts import Account
from smsign.domain.apps import App
from smsign.domain.events import GENESIS
from smsign.errors import Text
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores, open_stores
from tests.steps import clock, decide, make_app, submit

Change = Callable[[Tx], Awaitable[None]]


async def fill(stores: Stores) -> App:
    """Make two people, two applications, three signatures and the text of a reason."""
    owner = await make_account(stores, "owner", "wang.wei")
    await make_account(stores, "admin", "zhang.min")
    app = await make_app(stores)
    await apps.add_owner(stores.db, app=app, name=owner.name, actor="test:x", now=next(clock))
    passed = await submit(stores, app)
    await decide(stores, passed, passed=True)
    refused = await submit(stores, app)
    await decide(stores, refused, passed=False)
    other = await make_app(stores)
    await decide(stores, await submit(stores, other), passed=True)
    text = Text("Not readable", "无法辨认")
    await reasons.change(
        stores.db, code="unreadable", title=text, advice=text, actor="test:x", now=next(clock)
    )
    await apps.rotate(stores.db, stores.vault, app=other, overlap_s=60, actor="test:x", now=next(clock))
    return app


async def make_account(stores: Stores, roles: str, name: str) -> Account:
    token = await accounts.invite(stores.db, roles=roles, actor="test:x", now=next(clock))
    identity = ("https://id.example", name)  # no password, whose hash takes long
    return await accounts.accept(stores.db, token=token, name=name, identity=identity, now=next(clock))


def sql(*statements: str) -> Change:
    async def change(tx: Tx) -> None:
        for statement in statements:
            await tx.run(statement)

    return change


async def rewrite(tx: Tx) -> None:
    """Rewrite the chain of signature 2 as if it had passed, with hashes that are right, and its rows too."""
    prev_hash = GENESIS
    for seq, kind, at, actor, data in [
        tuple(row)
        for row in await tx.all(
            """SELECT seq, kind, at, actor, data FROM event
            WHERE subject = 'signature' AND subject_id = 2 ORDER BY seq"""
        )
    ]:
        if kind == "signature.refused":
            kind, data = "signature.passed", '{"version":1,"reasons":[],"fields":[],"note":""}'
        digest = events.digest(prev_hash, "signature", 2, seq, kind, at, actor, data)
        await tx.run(
            """UPDATE event SET kind = $2, data = $3, prev_hash = $4, hash = $5
            WHERE subject = 'signature' AND subject_id = 2 AND seq = $1""",
            *(seq, kind, data, prev_hash, digest),
        )
        prev_hash = digest
    await tx.run("UPDATE chain SET hash = $1 WHERE subject = 'signature' AND subject_id = 2", prev_hash)
    await tx.run("UPDATE signature SET status = 1 WHERE id = 2")
    await tx.run("UPDATE decision SET passed = 1, note = '' WHERE signature_id = 2")
    await tx.run("DELETE FROM decision_reason WHERE signature_id = 2")


DELETE_SIGNATURE_2 = (
    "DELETE FROM decision_reason WHERE signature_id = 2",
    "DELETE FROM decision WHERE signature_id = 2",
    "DELETE FROM image WHERE signature_id = 2",
    "DELETE FROM version WHERE signature_id = 2",
    "DELETE FROM signature WHERE id = 2",
    "DELETE FROM event WHERE subject = 'signature' AND subject_id = 2",
    "DELETE FROM chain WHERE subject = 'signature' AND subject_id = 2",
)
_CUT = (
    "DELETE FROM event WHERE subject = 'signature' AND subject_id = 2 AND seq = 2",
    """UPDATE chain SET seq = 1, hash = (SELECT hash FROM event
      WHERE event.subject = chain.subject AND event.subject_id = chain.subject_id AND event.seq = 1)
    WHERE subject = 'signature' AND subject_id = 2""",
    "UPDATE signature SET status = 0 WHERE id = 2",
    "DELETE FROM decision_reason WHERE signature_id = 2",
    "DELETE FROM decision WHERE signature_id = 2",
)
_ACCOUNT = """INSERT INTO account (name, roles, password, totp_used, enabled, created_at)
  VALUES ('eve', 'admin', 'x', 0, 1, 5)"""

TAMPERINGS: dict[str, tuple[Change, str]] = {
    "the content of a signature and its version": (
        sql(
            "UPDATE signature SET content = '伪造' WHERE id = 1",
            "UPDATE version SET content = '伪造' WHERE signature_id = 1",
        ),
        'signature 1: content is "伪造", the ledger has "极光推送"',
    ),
    "refused, now passed": (
        sql("UPDATE signature SET status = 1 WHERE id = 2"),
        "signature 2: status is 1, the ledger has 2",
    ),
    "a decision that passes": (
        sql("UPDATE decision SET passed = 1 WHERE signature_id = 2"),
        "signature 2: version 1: passed is 1, the ledger has 0",
    ),
    "another auditor": (
        sql("UPDATE decision SET actor = 'user:eve' WHERE signature_id = 2"),
        'signature 2: version 1: decided by is "user:eve", the ledger has "test:auditor"',
    ),
    "a reason removed": (
        sql("DELETE FROM decision_reason WHERE signature_id = 2"),
        "signature 2: version 1: reasons is {}, the ledger has {",
    ),
    "the hash of an image": (
        sql(
            """INSERT INTO image
              (signature_id, version, slot, app_id, sha256, type, size_bytes, width, height)
            VALUES (1, 1, 'image0', 1, 'abc', 'png', 1, 1, 1)"""
        ),
        'signature 1: version 1: image0 is "abc", the ledger has nothing',
    ),
    "a field with personal data, which is not quoted": (
        sql("""UPDATE version SET fields = '{"legalPersonName":"王伟"}' WHERE signature_id = 1"""),
        "signature 1: version 1: fields differ from the ledger: legalPersonName",
    ),
    "a version more": (
        sql(
            """INSERT INTO version (signature_id, n, app_id, content, fields, actor, submitted_at)
            VALUES (1, 2, 1, '伪造', '{}', 'x', 5)"""
        ),
        'signature 1: version 2: content is "伪造", the ledger has nothing',
    ),
    "a signature of another application": (
        sql("UPDATE signature SET app_id = 2 WHERE id = 1"),
        "signature 1: app_id is 2, the ledger has 1",
    ),
    "the signature in use": (
        sql("UPDATE app SET in_use_id = 2 WHERE id = 1"),
        "app 1: in_use_id is 2, the ledger has 1",
    ),
    "the secret of an application": (
        sql("UPDATE app SET secret_mac = (SELECT secret_mac FROM app WHERE id = 2) WHERE id = 1"),
        "app 1: secret is ",
    ),
    "an old secret that is valid again": (
        sql("UPDATE app SET old_secret_until = 9999999999999999 WHERE id = 2"),
        "app 2: old secret until is 9999999999999999, the ledger has ",
    ),
    "a callback": (
        sql(
            """INSERT INTO callback (app_id, url, form, decisions_only, state, why, failures, created_at)
            VALUES (1, 'https://x.example', 'vendor', 1, 'active', '', 0, 5)"""
        ),
        'app 1: callback 1 is "active", the ledger has nothing',
    ),
    "an owner": (
        sql("INSERT INTO app_owner (account_id, app_id) VALUES (1, 2)"),
        'app 2: owners is ["wang.wei"], the ledger has []',
    ),
    "an account": (sql(_ACCOUNT), "account 3: it has no chain: no event describes this row"),
    "a role": (
        sql("UPDATE account SET roles = 'owner admin' WHERE id = 1"),
        'account 1: roles is "owner admin", the ledger has "owner"',
    ),
    "a password": (sql("UPDATE account SET password = 'x' WHERE id = 2"), "account 2: password is "),
    "the text of a reason": (
        sql("UPDATE reason SET title_zh = '没问题'"),
        'title is ["Not readable","没问题"], the ledger has ["Not readable","无法辨认"]',
    ),
    "a signature deleted with its chain": (
        sql(*DELETE_SIGNATURE_2),
        "app 1: signatures: there are 1, the ledger counts 2",
    ),
    "an account deleted with its chain": (
        sql(
            "DELETE FROM identity WHERE account_id = 2",
            "DELETE FROM account WHERE id = 2",
            "DELETE FROM event WHERE subject = 'account' AND subject_id = 2",
            "DELETE FROM chain WHERE subject = 'account' AND subject_id = 2",
        ),
        "accounts: there are 1, the ledger counts 2",
    ),
    "all events and chains": (
        sql("DELETE FROM event", "DELETE FROM chain"),
        "signature 1: it has no chain: no event describes this row",
    ),
    "the row of a chain": (
        sql(*DELETE_SIGNATURE_2[:5]),
        "signature 2: its row is missing",
    ),
    "a tail cut off, with the chain's end set back": (
        sql(*_CUT),
        "signature 2: the end of the chain does not",
    ),
    "a chain rewritten and hashed anew": (rewrite, "signature 2: the end of the chain does not have the MAC"),
    "a chain of another kind": (
        sql("UPDATE event SET subject = 'x' WHERE subject = 'reason'"),
        "x: there is no such kind of chain",
    ),
}


async def test_an_untouched_installation_verifies(stores: Stores) -> None:
    await fill(stores)
    verdict = await ledger.verify(stores.db)
    assert verdict.faults == ()
    assert verdict.chains == 8


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_a_row_that_was_tampered_with_is_named(stores: Stores, what: str) -> None:
    await fill(stores)
    tamper, named = TAMPERINGS[what]
    await stores.db.write(tamper)
    faults = (await ledger.verify(stores.db)).faults
    assert any(named in fault for fault in faults), faults


async def test_a_count_that_was_set_back_after_a_verification_is_named(stores: Stores) -> None:
    await fill(stores)
    assert (await ledger.verify(stores.db)).faults == ()
    back = "UPDATE chain SET seq = 1{} WHERE subject = 'signatures' AND subject_id = 1"
    await stores.db.write(sql(*DELETE_SIGNATURE_2, back.format("")))
    assert (await ledger.verify(stores.db)).faults == (
        "app 1: signatures: there are 1, the ledger counted 2",
    )
    await stores.db.write(
        sql(back.format(", hash = (SELECT hash FROM chain WHERE subject_id = 2 AND subject = 'signatures')"))
    )
    assert (await ledger.verify(stores.db)).faults == (
        "app 1: signatures: their number does not have the MAC of this secret key",
    )


async def test_a_quick_verification_reads_only_chains_that_changed(stores: Stores) -> None:
    app = await fill(stores)
    last = (await ledger.verify(stores.db)).last_event
    await stores.db.write(sql("UPDATE signature SET content = '伪造' WHERE id IN (1, 2)"))
    assert (await ledger.verify(stores.db, since=last)).faults == ()
    await submit(stores, app, 2)
    verdict = await ledger.verify(stores.db, since=last)
    assert (verdict.chains, verdict.events) == (1, 3)
    assert verdict.faults == ()  # the resubmission set the content again
    await stores.db.write(sql("UPDATE signature SET content = '伪造' WHERE id = 2"))
    assert len((await ledger.verify(stores.db, since=last)).faults) == 1


async def test_the_ledger_of_an_earlier_version_is_sealed_once_and_records_it(
    stores: Stores, settings: Settings
) -> None:
    await fill(stores)
    await stores.db.write(
        sql(
            "DELETE FROM meta WHERE name = 'ledger_sealed'",
            "DELETE FROM chain WHERE subject IN ('accounts', 'apps', 'signatures')",
            "UPDATE chain SET mac = NULL",
        )
    )
    for _ in range(2):
        again = await open_stores(settings)
        try:
            verdict = await ledger.verify(again.db)
            assert verdict.faults == ()
            row = await again.db.read.one("SELECT count(*) FROM event WHERE kind = 'ledger.sealed'")
            assert row is not None
            assert row[0] == 1
        finally:
            await again.close()
    await stores.db.write(TAMPERINGS["the secret of an application"][0])
    assert "app 1: secret is " in str((await ledger.verify(stores.db)).fault)


async def test_a_ledger_of_another_key_does_not_verify(stores: Stores) -> None:
    await fill(stores)
    stores.db.ledger_key = bytes(32)
    faults = (await ledger.verify(stores.db)).faults
    assert all("MAC of this secret key" in fault for fault in faults)
    assert len(faults) >= 8

"""Whatever is done to the ledger by hand is found, and the first broken row is named."""

from __future__ import annotations

import pytest

from smsign.actions import ledger
from smsign.domain.events import digest
from smsign.storage.engine.protocol import Tx
from smsign.storage.ledger import chains, facts
from smsign.storage.open import Stores
from tests.steps import decide, make_app, submit


async def _fill(stores: Stores) -> int:
    """Make one application and one signature with three events; return the signature's id."""
    app = await make_app(stores)
    sign_id = await submit(stores, app)
    await decide(stores, sign_id, passed=False)
    return await submit(stores, app, sign_id)


async def test_an_unmodified_ledger_verifies(stores: Stores) -> None:
    await _fill(stores)
    verdict = await ledger.verify(stores.db)
    assert (verdict.chains, verdict.events, verdict.fault) == (2, 4, None)


@pytest.mark.parametrize(
    ("tampering", "named"),
    [
        (
            "UPDATE event SET data = '{}' WHERE subject = 'signature' AND seq = 2",
            "event 2 (signature.refused) was changed",
        ),
        (
            "UPDATE event SET at = at + 1 WHERE subject = 'signature' AND seq = 1",
            "event 1 (signature.submitted) was changed",
        ),
        ("UPDATE event SET actor = 'x' WHERE subject = 'app'", "event 1 (app.created) was changed"),
        ("DELETE FROM event WHERE subject = 'signature' AND seq = 2", "event 3 follows 1"),
        (
            "DELETE FROM event WHERE subject = 'signature' AND seq = 3",
            "event 3, the last on record, is missing",
        ),
        ("DELETE FROM event WHERE subject = 'signature'", "event 3, the last on record, is missing"),
        ("UPDATE event SET seq = 9 WHERE subject = 'signature' AND seq = 3", "event 9 follows 2"),
        (
            "UPDATE event SET prev_hash = hash WHERE subject = 'signature' AND seq = 2",
            "does not have the hash",
        ),
        ("DELETE FROM chain WHERE subject = 'signature'", "comes after the last on record"),
        ("UPDATE chain SET seq = 2 WHERE subject = 'signature'", "event 2, the last on record, is missing"),
        (
            """UPDATE chain SET hash = (SELECT hash FROM event WHERE subject = 'app')
            WHERE subject = 'signature'""",
            "event 3, the last on record, is missing or different",
        ),
        (
            """INSERT INTO event (subject, subject_id, seq, kind, at, actor, data, prev_hash, hash)
            SELECT subject, subject_id, 4, kind, at, actor, data, hash, hash FROM event
            WHERE subject = 'signature' AND seq = 3""",
            "event 4 (signature.resubmitted) was changed",
        ),
    ],
)
async def test_tampering_is_found_and_named(
    stores: Stores, tampering: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "IDS", 1)  # test_tampering reads in full steps
    await _fill(stores)

    async def tamper(tx: Tx) -> None:
        await tx.run(tampering)

    await stores.db.write(tamper)
    verdict = await ledger.verify(stores.db)
    assert verdict.fault is not None
    assert named in verdict.fault


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
@pytest.mark.parametrize("subject", ["app", "signature"])
async def test_invalid_utf8_in_an_event_is_found_and_located(stores: Stores, subject: str) -> None:
    await _fill(stores)
    await _fill(stores)

    async def tamper(tx: Tx) -> None:
        await tx.run(
            f"UPDATE event SET data = CAST(x'ff' AS TEXT) WHERE subject = '{subject}' AND subject_id = 2"
        )

    await stores.db.write(tamper)
    assert (await ledger.verify(stores.db)).faults == (
        f"{subject} 2: a text that is not UTF-8, in an event or a row",
    )


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
async def test_invalid_utf8_in_a_forged_row_below_all_ids_is_located(stores: Stores) -> None:
    await _fill(stores)

    async def tamper(tx: Tx) -> None:
        await tx.run("UPDATE event SET data = CAST(x'ff' AS TEXT), subject_id = -7 WHERE subject = 'app'")

    await stores.db.write(tamper)
    faults = (await ledger.verify(stores.db)).faults
    assert "app -7: a text that is not UTF-8, in an event or a row" in faults


async def test_a_correctly_hashed_event_behind_the_end_of_its_chain_is_found(stores: Stores) -> None:
    sign_id = await _fill(stores)
    head = await chains.find(stores.db.read, "signature", sign_id)
    assert head is not None
    forged = digest(head[1], "signature", sign_id, 4, "signature.passed", 5, "test:forger", "{}")

    async def graft(tx: Tx) -> None:
        await tx.run(
            """INSERT INTO event (subject, subject_id, seq, kind, at, actor, data, prev_hash, hash)
            VALUES ('signature', $1, 4, 'signature.passed', 5, 'test:forger', '{}', $2, $3)""",
            sign_id,
            head[1],
            forged,
        )

    await stores.db.write(graft)
    fault = (await ledger.verify(stores.db)).fault
    assert fault is not None
    assert "after the last on record" in fault


async def test_a_verification_reads_pages_and_names_all_faults(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "IDS", 1)
    monkeypatch.setattr(facts, "EVENTS", 1)
    signs = [await _fill(stores) for _ in range(3)]
    bounds = [await facts.find_bound(stores.db.read, "signature", after) for after in (0, signs[0], signs[1])]
    assert bounds == [signs[0], signs[1], signs[2]]

    async def tamper(tx: Tx) -> None:
        await tx.run("UPDATE chain SET seq = 2 WHERE subject = 'signature'")

    await stores.db.write(tamper)
    verdict = await ledger.verify(stores.db)
    assert [fault.partition(":")[0] for fault in verdict.faults] == [f"signature {sign}" for sign in signs]

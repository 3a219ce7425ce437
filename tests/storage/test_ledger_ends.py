"""Ends of chains that are stored elsewhere, and the commands that write and compare them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from smsign.actions import ends
from smsign.errors import SetupError
from smsign.storage.engine.protocol import Tx
from smsign.storage.ledger import chains
from smsign.storage.open import Stores
from tests.running import Server
from tests.steps import submit
from tests.storage.test_tampering import DELETE_SIGNATURE_2, fill, rewrite, sql


async def test_ends_stored_elsewhere_show_what_even_the_key_cannot(stores: Stores) -> None:
    app = await fill(stores)
    lines = [msgspec.json.encode(end).decode() async for end in ends.list_ends(stores.db)]
    assert len(lines) == 8 + 4  # and four counts
    await submit(stores, app, 2)  # what is added later agrees
    assert await ends.compare(stores.db, lines) == []

    async def rewrite_with_key(tx: Tx) -> None:
        await rewrite(tx)
        end = await chains.find(tx, "signature", 2)
        assert end is not None
        await chains.put(tx, "signature", 2, *end)

    await stores.db.write(rewrite_with_key)
    assert await ends.compare(stores.db, lines) == ["signature 2: event 2 or one before it was rewritten"]
    await stores.db.write(
        sql(*DELETE_SIGNATURE_2, "UPDATE chain SET seq = 1 WHERE subject = 'signatures' AND subject_id = 1")
    )
    assert await ends.compare(stores.db, lines) == [
        "signature 2: event 2 existed, and is missing",
        "signatures 1: the ledger counted 2, now 1",
    ]
    with pytest.raises(SetupError, match="line 1 is not the end of a chain"):
        await ends.compare(stores.db, ["x"])


@pytest.mark.process
def test_the_commands_verify_quickly_and_against_a_file(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start()
    app = server.make_app()
    assert server.json("events", "verify")["faults"] == []
    file = tmp_path / "ends.jsonl"
    file.write_text(server.run("events", "ends").stdout)
    httpx.post(f"{server.url}/v1/sign", auth=app.auth, files={"sign": (None, "极光推送")}).raise_for_status()
    verdict = server.json("events", "verify", "--quick", "--against", str(file))
    assert (verdict["chains"], verdict["events"], verdict["faults"]) == (1, 1, [])
    server.do(lambda stores: stores.db.write(sql("UPDATE signature SET content = '伪造'")))
    done = server.run("events", "verify")
    assert done.returncode == 1
    assert done.stderr == 'broken: signature 1: content is "伪造", the ledger has "极光推送"\n'

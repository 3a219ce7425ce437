"""The demo data: an application with the keys of the contract's examples, and signature 37582.

The keys are public, so the demo data is only loaded into an empty database.
"""

from __future__ import annotations

from smsign.actions import apps as app_actions
from smsign.actions import audits
from smsign.actions.apps import Keys
from smsign.actions.events import record_submitted
from smsign.domain.signatures import Submission
from smsign.errors import SetupError
from smsign.storage.engine.migrate import find_meta, put_meta
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import signatures as rows
from smsign.storage.vault import Vault

KEYS = Keys("7d431e42dfa6a6d693ac2d04", "5e987ac6d2e04d95a9d8f0d1")
SIGN_ID = 37582
CONTENT = "极光推送"
NAME = "demo"
ACTOR = "system:demo"
_META = "demo"


async def is_loaded(db: Database) -> bool:
    """Return whether the demo data is loaded."""
    return await find_meta(db.read, _META) is not None


async def load(db: Database, vault: Vault, *, now: int) -> bool:
    """Load the demo data into an empty database; return False if it is loaded already.

    Raises: SetupError if the database has applications.
    """
    if await is_loaded(db):
        return False
    if await app_rows.list_(db.read, limit=1):
        raise SetupError(
            "demo: this database has applications, and the keys of the demo are public;"
            " use another folder with --data",
            "demo：此数据库已有应用，而演示数据的密钥是公开的；请用 --data 指定其他目录",
        )
    app = await app_actions.create(db, vault, name=NAME, keys=KEYS, use_by_hand=False, actor=ACTOR, now=now)

    submission = Submission(CONTENT, {}, ())

    async def submit(tx: Tx) -> None:
        actor = f"app:{KEYS.app_key}"
        await rows.insert(tx, app.id, content=CONTENT, now=now, signature_id=SIGN_ID)
        await rows.insert_version(tx, app.id, SIGN_ID, 1, submission, actor=actor, now=now)
        await record_submitted(tx, app.id, SIGN_ID, submission, actor=actor, now=now)
        await put_meta(tx, _META, "loaded")

    await db.write(submit)
    await audits.decide(
        db,
        signature_id=SIGN_ID,
        passed=False,
        reasons=["name_mismatch", "unreadable"],
        actor=ACTOR,
        now=now,
    )
    return True

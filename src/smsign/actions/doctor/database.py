"""Checks of the database as a whole: schema, secret key, clock, pages, id sequences."""

from __future__ import annotations

from smsign.actions.doctor.finding import OK, RESTORE, WARNING, WRONG, Context, Finding, span
from smsign.errors import SmsignError
from smsign.storage.engine.bulk import UNFINISHED
from smsign.storage.engine.migrate import SCHEMA, migrations
from smsign.storage.open import KEY_FINGERPRINT
from smsign.storage.rows import health
from smsign.storage.vault import fingerprint, read_key

CLOCK_SKEW_US = 5_000_000


async def check_schema(ctx: Context) -> Finding:
    """Check that the schema is the current one."""
    check, number, newest = "schema", int(ctx.meta.get(SCHEMA, 0)), max(migrations())
    if not number:
        what = "this is not a database of smsign, or an empty one"
        return Finding(check, WRONG, what, "create one: smsign serve")
    if UNFINISHED in ctx.meta:
        return Finding(check, WRONG, "a copy into this database is not finished", "run its command again")
    if number > newest:
        return Finding(check, WRONG, f"number {number}, of a newer smsign", "upgrade smsign")
    if number < newest:
        what = f"number {number} of {newest}; the other checks need the newest"
        return Finding(check, WARNING, what, "smsign migrate, or the next start does it")
    return Finding(check, OK, f"number {number}")


async def check_key(ctx: Context) -> Finding:
    """Check that the secret key is the one of this database, and protected."""
    check, file = "secret key", ctx.at.key_file
    try:
        key = read_key(ctx.at.key, file)
        in_file = read_key("", file) if ctx.at.key else key
    except (SmsignError, OSError) as error:
        return Finding(check, WRONG, str(error), "use the key of this database")
    if key is None:
        return Finding(check, WRONG, f"{file} does not exist", "restore it from a backup")
    if ctx.meta.get(KEY_FINGERPRINT) not in (None, fingerprint(key)):
        return Finding(check, WRONG, "this database belongs to another key", "use that key")
    if file.exists() and file.stat().st_mode & 0o077:
        return Finding(check, WRONG, f"{file} is readable for other users", f"chmod 600 {file}")
    if in_file not in (None, key):
        return Finding(check, WARNING, f"the setting overrides {file}, which differs", f"remove {file}")
    return Finding(check, OK, "it belongs to this database")


async def check_clock(ctx: Context) -> Finding:
    """Check the clock against the newest event and the database server."""
    check, fix, now = "clock", "set the clock: timedatectl set-ntp true", ctx.at.now
    newest = await health.find_newest_event_at(ctx.db.scan) or 0
    if newest - now > CLOCK_SKEW_US:
        return Finding(check, WRONG, f"the newest event is {span(newest - now)} in the future", fix)
    server = await ctx.db.server_time()
    if server and abs(server - now) > CLOCK_SKEW_US:
        what = f"the clocks of this machine and the database server are {span(abs(server - now))} apart"
        return Finding(check, WARNING, what, fix)
    return Finding(check, OK, "agrees with the newest event" + " and the database server" * bool(server))


async def check_integrity(ctx: Context) -> Finding:
    """Run the engine's integrity check."""
    damage = await ctx.db.find_damage()
    what = "; ".join(damage) or "the engine finds no damage"
    return Finding("integrity", WRONG if damage else OK, what, RESTORE if damage else "")


async def check_ids(ctx: Context) -> Finding:
    """Check that the id sequences are ahead of the rows."""
    if again := await health.find_reused_ids(ctx.rows):
        what = f"{', '.join(again)}: the next id would be one that exists"
        return Finding("ids", WRONG, what, "smsign copy into a new database corrects the sequences")
    return Finding("ids", OK, "no id would be reused")

"""The schema: numbered files, forward only, one transaction each, never edited after landing."""

from __future__ import annotations

from importlib import resources

from smsign.errors import SetupError
from smsign.storage.engine.protocol import Database, Reader, Tx

SCHEMA = "schema"
"""What `meta` bears the number of the last step under."""

META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) {strict}"


def steps() -> dict[int, str]:
    """Return the migrations: number -> SQL, in order."""
    files = (file for file in resources.files("smsign.storage.engine").joinpath("schema").iterdir())
    texts = {int(file.name[:4]): file.read_text("utf-8") for file in files if file.name.endswith(".sql")}
    return dict(sorted(texts.items()))


async def migrate(db: Database, *, up_to: int | None = None) -> int:
    """Bring the schema up to date, or up to the number given; return the number of steps that took.

    Raises: SetupError when the database was made by a newer smsign.
    """

    async def prepare(tx: Tx) -> None:
        await db.lock_schema(tx)
        await tx.run(META)

    await db.write(prepare)
    taken = 0
    for number, text in steps().items():
        if up_to is not None and number > up_to:
            break

        async def step(tx: Tx, number: int = number, text: str = text) -> bool:
            await db.lock_schema(tx)
            if await schema_number(tx) >= number:
                return False
            for statement in _statements(text):
                await tx.run(statement)
            await put_meta(tx, SCHEMA, str(number))
            return True

        taken += await db.write(step)
    if (found := await schema_number(db.read)) > max(steps()):
        raise SetupError(f"database: its schema is number {found}, made by a newer smsign; upgrade smsign")
    return taken


async def schema_number(db: Reader) -> int:
    """Return the number of the last step taken, 0 before the first."""
    return int(await get_meta(db, SCHEMA) or 0)


async def get_meta(db: Reader, name: str) -> str | None:
    """Return what the database says of itself under `name`, or None."""
    row = await db.one("SELECT value FROM meta WHERE name = $1", name)
    return str(row[0]) if row else None


async def put_meta(tx: Tx, name: str, value: str) -> None:
    """Set what the database says of itself under `name`."""
    await tx.run(
        "INSERT INTO meta (name, value) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value,
    )


async def drop_meta(tx: Tx, name: str) -> None:
    """Forget what the database says of itself under `name`."""
    await tx.run("DELETE FROM meta WHERE name = $1", name)


def _statements(text: str) -> list[str]:
    bare = "\n".join(line.partition("--")[0] for line in text.splitlines())
    return [statement for part in bare.split(";") if (statement := part.strip())]

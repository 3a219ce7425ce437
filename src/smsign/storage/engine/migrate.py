"""Schema migrations: numbered files, forward only, one transaction each, never edited after release."""

from __future__ import annotations

from importlib import resources

from smsign.errors import SetupError
from smsign.storage.engine.protocol import Database, Reader, Tx

SCHEMA = "schema"
"""The name in `meta` of the number of the last migration."""

META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) {strict}"


def migrations() -> dict[int, str]:
    """Return the migrations: number -> SQL, in order."""
    files = resources.files("smsign.storage.engine").joinpath("schema").iterdir()
    texts = {int(file.name[:4]): file.read_text("utf-8") for file in files if file.name.endswith(".sql")}
    return dict(sorted(texts.items()))


async def migrate(db: Database, *, up_to: int | None = None) -> int:
    """Bring the schema up to date, or up to the number given; return how many migrations were run.

    Raises: SetupError when the database was made by a newer smsign.
    """

    async def prepare(tx: Tx) -> None:
        await db.lock_schema(tx)
        await tx.run(META)

    await db.write(prepare)
    count = 0
    for number, text in migrations().items():
        if up_to is not None and number > up_to:
            break

        async def run(tx: Tx, number: int = number, text: str = text) -> bool:
            await db.lock_schema(tx)
            if await schema_number(tx) >= number:
                return False
            for statement in _statements(text):
                await tx.run(statement)
            await put_meta(tx, SCHEMA, str(number))
            return True

        count += await db.write(run)
    if (found := await schema_number(db.read)) > max(migrations()):
        raise SetupError(
            f"database: its schema is number {found}, made by a newer smsign; upgrade smsign",
            f"database：表结构版本 {found} 来自更新的 smsign；请升级 smsign",
        )
    return count


async def schema_number(db: Reader) -> int:
    """Return the number of the last migration, 0 before the first."""
    return int(await find_meta(db, SCHEMA) or 0)


async def find_meta(db: Reader, name: str) -> str | None:
    """Return a value of the table `meta`, or None."""
    row = await db.one("SELECT value FROM meta WHERE name = $1", name)
    return str(row[0]) if row else None


async def put_meta(tx: Tx, name: str, value: str) -> None:
    """Set a value of the table `meta`."""
    await tx.run(
        "INSERT INTO meta (name, value) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value,
    )


async def delete_meta(tx: Tx, name: str) -> None:
    """Delete a value of the table `meta`."""
    await tx.run("DELETE FROM meta WHERE name = $1", name)


def _statements(text: str) -> list[str]:
    bare = "\n".join(line.partition("--")[0] for line in text.splitlines())
    return [statement for part in bare.split(";") if (statement := part.strip())]

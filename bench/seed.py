"""Test data, inserted directly into the databases: applications, signatures, an image."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from smsign.storage.vault import open_vault

SECRET = "5e987ac6d2e04d95a9d8f0d1"
BOUNDARY = "bench-boundary"


def app_key(number: int) -> str:
    """Return the appKey of the n-th application."""
    return f"{number:024x}"


def authorization(number: int) -> str:
    """Return the header of the n-th application."""
    return "Basic " + base64.b64encode(f"{app_key(number)}:{SECRET}".encode()).decode()


def smsign(folder: Path, *, apps: int, signatures: int) -> None:
    """Create smsign's database with passed signatures, distributed evenly over `apps`."""
    command = [sys.executable, "-m", "smsign.cli", "migrate", "--data", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    vault = open_vault("", folder / "secret.key")
    mac, sealed, now = vault.mac(SECRET), vault.seal(SECRET, app_key=app_key(1)), time.time_ns() // 1000
    with sqlite3.connect(folder / "smsign.db") as db:
        db.executemany(
            """INSERT INTO app
              (id, name, app_key, secret_mac, secret_sealed, sms_open, use_by_hand, created_at)
            VALUES (?, ?, ?, ?, ?, 1, 0, ?)""",
            ((n, f"app{n}", app_key(n), mac, sealed, now) for n in range(1, apps + 1)),
        )
        db.executemany(
            """INSERT INTO signature (id, app_id, content, status, version, created_at, submitted_at)
            VALUES (?, ?, '极光推送', 1, 1, ?, ?)""",
            ((n, 1 + n % apps, now, now) for n in range(1, signatures + 1)),
        )
        db.executemany(
            """INSERT INTO version (signature_id, n, app_id, content, fields, actor, submitted_at)
            VALUES (?, 1, ?, '极光推送', '{}', 'bench', ?)""",
            ((n, 1 + n % apps, now) for n in range(1, signatures + 1)),
        )
    db.close()


def reference(folder: Path, *, apps: int) -> None:
    """Create the reference application's database with one passed signature."""
    import asyncio
    import os

    os.environ["REFERENCE_DATA"] = str(folder)
    from bench.reference import Base, engine

    async def make() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        await engine.dispose()

    asyncio.run(make())
    secret_hash = hashlib.sha256(SECRET.encode()).hexdigest()
    with sqlite3.connect(folder / "reference.db") as db:
        db.executemany(
            "INSERT INTO app (id, app_key, secret_hash) VALUES (?, ?, ?)",
            ((n, app_key(n), secret_hash) for n in range(1, apps + 1)),
        )
        db.execute("INSERT INTO signature (id, app_id, content, status) VALUES (1, 2, '极光推送', 1)")
    db.close()


def write_headers(path: Path, *, apps: int) -> None:
    """Write one line for each application: its Authorization header."""
    with path.open("w") as lines:
        lines.writelines(f"{authorization(n)}\n" for n in range(1, apps + 1))


def write_queries(path: Path, *, apps: int, signatures: int, count: int) -> None:
    """Write `count` lines `path<tab>header` for random signatures."""
    dice = random.Random(7)
    with path.open("w") as lines:
        for _ in range(count):
            n = dice.randint(1, signatures)
            lines.write(f"/v1/sign/{n}\t{authorization(1 + n % apps)}\n")


def image() -> bytes:
    """Return an image of some 100 KB."""
    out = io.BytesIO()
    Image.frombytes("RGB", (184, 184), random.Random(1).randbytes(184 * 184 * 3)).save(out, "PNG")
    return out.getvalue()


def form(fields: dict[str, bytes], image_field: str | None, image: bytes) -> bytes:
    """Return a multipart body of `fields`, and an image in `image_field`."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in fields.items()
    ]
    if image_field:
        head = f'Content-Disposition: form-data; name="{image_field}"; filename="a.png"'
        head += "\r\nContent-Type: image/png"
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + image + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()

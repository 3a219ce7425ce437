"""The servers under test: how each is started, and its requests in each scenario."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Protocol

from bench import seed
from bench.load import Workload

SCENARIOS = ("query", "create", "create with image")
START_TIMEOUT_S = 60.0
CONTENT = "极光推送"


class Peer(Protocol):
    """A server in a separate process."""

    name: str
    url: str
    pid: int

    def workload(self, scenario: str) -> Workload | None:
        """Return the requests of a scenario, or None if the server does not have it."""

    def stored(self) -> int | None:
        """Return how many signatures are stored, or None if nothing is stored."""

    def stop(self) -> None:
        """Stop the server."""


class _Process:
    """What all servers share: a process on a port, its folder, its log."""

    name = ""

    def __init__(self, folder: Path, command: list[str], env: dict[str, str], port: int, ready: str) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self._log = (folder / "log").open("wb")
        full = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env}
        self._process = subprocess.Popen(command, env=full, stdout=self._log, stderr=self._log)
        self.pid = self._process.pid
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(self.url + ready):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench: {self.name} did not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stored(self) -> int | None:
        return None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        self._log.close()


class Bare(_Process):
    """granian with a constant response."""

    name = "bare"

    def __init__(self, folder: Path) -> None:
        port = free_port()
        super().__init__(folder, [sys.executable, "-m", "bench.bare", str(port)], {}, port, "/")

    def workload(self, scenario: str) -> Workload | None:
        return (
            Workload("GET", "/v1/sign/1", {"Authorization": seed.authorization(2)})
            if scenario == "query"
            else None
        )


class Smsign(_Process):
    """smsign in its default configuration: one process."""

    name = "smsign"

    def __init__(self, folder: Path, *, apps: int, signatures: int = 1) -> None:
        seed.smsign(folder, apps=apps, signatures=signatures)
        seed.write_headers(folder / "headers", apps=apps)
        port = free_port()
        env = {"SMSIGN_DATA": str(folder), "SMSIGN_PORT": str(port)}
        super().__init__(folder, [sys.executable, "-m", "smsign.cli", "serve"], env, port, "/readyz")

    def workload(self, scenario: str) -> Workload | None:
        if scenario == "query":
            return Workload("GET", "/v1/sign/1", {"Authorization": seed.authorization(2)})
        return Workload(
            "POST", "/v1/sign", _multipart(), _body(self.folder, scenario), self.folder / "headers"
        )

    def stored(self) -> int | None:
        return _count(self.folder / "smsign.db", "SELECT count(*) FROM signature WHERE status = 0")


class Reference(_Process):
    """FastAPI, Pydantic, SQLAlchemy async, aiosqlite, uvicorn."""

    name = "reference"

    def __init__(self, folder: Path, *, apps: int) -> None:
        seed.reference(folder, apps=apps)
        seed.write_headers(folder / "headers", apps=apps)
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "bench.reference:app",
            "--port",
            str(port),
            "--log-level",
            "info",
        ]
        super().__init__(folder, command, {"REFERENCE_DATA": str(folder)}, port, "/openapi.json")

    def workload(self, scenario: str) -> Workload | None:
        if scenario == "query":
            return Workload("GET", "/v1/sign/1", {"Authorization": seed.authorization(2)})
        return Workload(
            "POST", "/v1/sign", _multipart(), _body(self.folder, scenario), self.folder / "headers"
        )

    def stored(self) -> int | None:
        return _count(self.folder / "reference.db", "SELECT count(*) - 1 FROM signature")


class PocketBase(_Process):
    """PocketBase with an equal collection, an owner rule and a file field."""

    name = "pocketbase"

    def __init__(self, folder: Path) -> None:
        binary = shutil.which(
            "pocketbase", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        if binary is None:
            raise SystemExit("bench: pocketbase is missing; install requirements/bench.txt")
        login = {"email": "root@example.org", "password": "bench-password"}
        where = ["--dir", str(folder / "pb")]
        subprocess.run(
            [binary, "superuser", "upsert", *login.values(), *where], check=True, stdout=subprocess.DEVNULL
        )
        port = free_port()
        command = [binary, "serve", "--http", f"127.0.0.1:{port}", *where]
        super().__init__(folder, command, {}, port, "/api/health")
        token = self._log_in("_superusers", login["email"], login["password"])
        users = self._call("GET", "/api/collections/users", None, token)["id"]
        self._call("POST", "/api/collections", _collection(users), token)
        user = {"email": "app@example.org", "password": "bench-password", "passwordConfirm": "bench-password"}
        self._owner = self._call("POST", "/api/collections/users/records", user, token)["id"]
        self._token = self._log_in("users", user["email"], user["password"])
        made = self._call("POST", "/api/collections/signatures/records", self._fields(), self._token)
        self._query = f"/api/collections/signatures/records/{made['id']}"

    def workload(self, scenario: str) -> Workload | None:
        headers = {"Authorization": self._token}
        path = "/api/collections/signatures/records"
        if scenario == "query":
            return Workload("GET", self._query, headers)
        if scenario == "create":
            body = self.folder / "body.json"
            body.write_text(json.dumps(self._fields()))
            return Workload("POST", path, headers | {"Content-Type": "application/json"}, body)
        fields = {name: str(value).encode() for name, value in self._fields().items()}
        body = self.folder / "body.form"
        body.write_bytes(seed.form(fields, "image", seed.image()))
        return Workload("POST", path, headers | _multipart(), body)

    def stored(self) -> int | None:
        return _count(self.folder / "pb" / "data.db", "SELECT count(*) - 1 FROM signatures")

    def _fields(self) -> dict[str, object]:
        return {"owner": self._owner, "content": CONTENT, "status": 1, "use_status": 1}

    def _log_in(self, collection: str, identity: str, password: str) -> str:
        given = {"identity": identity, "password": password}
        return str(
            self._call("POST", f"/api/collections/{collection}/auth-with-password", given, "")["token"]
        )

    def _call(self, method: str, path: str, given: dict[str, Any] | None, token: str) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=json.dumps(given).encode() if given else None,
            headers={"Content-Type": "application/json", **({"Authorization": token} if token else {})},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def _collection(users: str) -> dict[str, Any]:
    own = "@request.auth.id != '' && owner = @request.auth.id"
    return {
        "name": "signatures",
        "type": "base",
        "viewRule": own,
        "createRule": own,
        "fields": [
            {"name": "owner", "type": "relation", "collectionId": users, "maxSelect": 1, "required": True},
            {"name": "content", "type": "text", "min": 2, "max": 8, "required": True},
            {"name": "status", "type": "number"},
            {"name": "use_status", "type": "number"},
            {
                "name": "image",
                "type": "file",
                "maxSelect": 1,
                "maxSize": 2_000_000,
                "mimeTypes": ["image/png", "image/jpeg"],
            },
        ],
    }


def _multipart() -> dict[str, str]:
    return {"Content-Type": f"multipart/form-data; boundary={seed.BOUNDARY}"}


def _body(folder: Path, scenario: str) -> Path:
    body = folder / f"{scenario.replace(' ', '-')}.form"
    body.write_bytes(
        seed.form({"sign": CONTENT.encode()}, "image0" if "image" in scenario else None, seed.image())
    )
    return body


def _count(database: Path, sql: str) -> int:
    import sqlite3

    db = sqlite3.connect(database)
    try:
        return int(db.execute(sql).fetchone()[0])
    finally:
        db.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

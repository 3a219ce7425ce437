"""Where the server listens: looked at before anything else, so that an address it cannot have is one line."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from smsign.config import Settings
from smsign.errors import SetupError

_PATIENCE_S = 2.0
"""How long one that was killed may take to let go of the address."""
_LOOK_S = 0.1
_SOCKET_PATH_BYTES = 107


@contextmanager
def holding_address(settings: Settings) -> Iterator[Settings]:
    """Return settings with the host as a number and a real port, which is held until the server's end.

    The socket that holds it never listens, so that all connections go to the workers' own. It shares the port
    with these, but only once it has it: while it asks for it, any other socket there is a refusal.

    Raises: SetupError when the address is another's, or none.
    """
    if settings.socket:
        _make_way(Path(settings.socket))
        yield settings
        return
    with _hold(settings) as holder:
        host, port, *_ = holder.getsockname()
        yield msgspec.structs.replace(settings, host=host, port=port)


def _hold(settings: Settings) -> socket.socket:
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SetupError(f"host: {settings.host}: {error.strerror}") from error
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        holder = socket.socket(family, kind)
        try:
            # What is left of connections that are over (TIME_WAIT) is no refusal; all else is.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(address)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except OSError as error:
            holder.close()
            if error.errno != errno.EADDRINUSE:
                raise SetupError(f"host and port: cannot listen on {where}: {error.strerror}") from error
            if time.monotonic() > deadline:
                raise SetupError(
                    f"port: another program has {where}; stop it, or name another port"
                ) from error
            time.sleep(_LOOK_S)
        else:
            return holder


def _make_way(path: Path) -> None:
    """Remove the socket of a server that was killed; no other file, and no socket that is in use."""
    try:
        if not path.parent.is_dir():
            raise SetupError(f"socket: the folder {path.parent} does not exist")
        if not os.access(path.parent, os.W_OK):
            raise SetupError(f"socket: the folder {path.parent} cannot be written to")
        if len(os.fsencode(path.resolve())) > _SOCKET_PATH_BYTES:
            raise SetupError(f"socket: {path} is longer than a socket's path may be; name a shorter one")
        if not path.exists():
            return
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise SetupError(f"socket: {path} is there already, and is no socket; name another one")
        if _is_taken(path):
            raise SetupError(f"socket: another server listens on {path}; stop it, or name another one")
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(f"socket: {path}: {error.strerror}") from error


def _is_taken(path: Path) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while _listens(path):
        if time.monotonic() > deadline:
            return True
        time.sleep(_LOOK_S)
    return False


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0

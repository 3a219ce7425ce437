"""Where the server listens: looked at before anything else, so that an address it cannot have is one line."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

    The socket that holds it never listens, so that all connections go to the workers' own. These share the
    port, and so could another server's: hence it is looked for.

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
    holder = socket.socket(family, kind)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
        if _is_taken(family, holder.getsockname()):
            raise SetupError(f"port: another program listens on {where}; stop it, or name another port")
    except OSError as error:
        holder.close()
        raise SetupError(f"host and port: cannot listen on {where}: {error.strerror}") from error
    except SetupError:
        holder.close()
        raise
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
        if _is_taken(socket.AF_UNIX, str(path)):
            raise SetupError(f"socket: another server listens on {path}; stop it, or name another one")
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(f"socket: {path}: {error.strerror}") from error


def _is_taken(family: int, address: Any) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while _listens(family, address):
        if time.monotonic() > deadline:
            return True
        time.sleep(_LOOK_S)
    return False


def _listens(family: int, address: Any) -> bool:
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0

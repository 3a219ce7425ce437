"""The listen address, reserved before anything else, so that one in use is an error of one line."""

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

_WAIT_S = 2.0
"""How long a killed server may take to release the address."""
_POLL_S = 0.1
_SOCKET_PATH_BYTES = 107


@contextmanager
def reserve_address(settings: Settings) -> Iterator[Settings]:
    """Return settings with a numeric host and the actual port, which is reserved until the server ends.

    A bound socket that never listens reserves it, so that all connections go to the workers' sockets. It sets
    SO_REUSEPORT to share the port with them, but only after bind, which fails while another socket has it.

    Raises: SetupError when the address is invalid or in use.
    """
    if settings.socket:
        _remove_stale_socket(Path(settings.socket))
        yield settings
        return
    with _bind(settings) as holder:
        host, port, *_ = holder.getsockname()
        yield msgspec.structs.replace(settings, host=host, port=port)


def find_own_address() -> str:
    """Return an address at which other machines and containers reach this one, or its name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: chooses a route, sends nothing
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _bind(settings: Settings) -> socket.socket:
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SetupError(
            f"host: {settings.host}: {error.strerror}", f"host：{settings.host}：{error.strerror}"
        ) from error
    deadline = time.monotonic() + _WAIT_S
    while True:
        holder = socket.socket(family, kind)
        try:
            # With SO_REUSEADDR connections in TIME_WAIT do not block the bind.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(address)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except OSError as error:
            holder.close()
            if error.errno != errno.EADDRINUSE:
                raise SetupError(
                    f"host and port: cannot listen on {where}: {error.strerror}",
                    f"host 与 port：无法监听 {where}：{error.strerror}",
                ) from error
            if time.monotonic() > deadline:
                raise SetupError(
                    f"port: {where} is in use by another program; stop it, or use another port",
                    f"port：{where} 已被其他程序占用；请停止该程序，或使用其他端口",
                ) from error
            time.sleep(_POLL_S)
        else:
            return holder


def _remove_stale_socket(path: Path) -> None:
    """Remove the socket that a killed server left; never another file, or a socket in use."""
    try:
        if not path.parent.is_dir():
            raise _unusable(f"the folder {path.parent} does not exist", f"目录 {path.parent} 不存在")
        if not os.access(path.parent, os.W_OK):
            raise _unusable(f"the folder {path.parent} is not writable", f"目录 {path.parent} 不可写")
        if len(os.fsencode(path.resolve())) > _SOCKET_PATH_BYTES:
            raise _unusable(
                f"{path} is longer than {_SOCKET_PATH_BYTES} bytes; use a shorter path",
                f"{path} 超过 {_SOCKET_PATH_BYTES} 字节；请使用较短的路径",
            )
        if not path.exists():
            return
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise _unusable(
                f"{path} exists and is not a socket; use another path",
                f"{path} 已存在且不是套接字；请使用其他路径",
            )
        if _is_in_use(path):
            raise _unusable(
                f"another server listens on {path}; stop it, or use another path",
                f"另一服务器正在监听 {path}；请停止它，或使用其他路径",
            )
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(f"{path}: {error.strerror}", f"{path}：{error.strerror}") from error


def _unusable(en: str, zh: str) -> SetupError:
    return SetupError(f"socket: {en}", f"socket：{zh}")


def _is_in_use(path: Path) -> bool:
    deadline = time.monotonic() + _WAIT_S
    while _listens(path):
        if time.monotonic() > deadline:
            return True
        time.sleep(_POLL_S)
    return False


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0

"""The worker processes of the server: graceful shutdown during the start, and an end with their parent."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from granian.server import Server

from smsign.config import Settings

if TYPE_CHECKING:
    from smsign.http.server import Server as Application

_PR_SET_PDEATHSIG = 1
_STOPS = (signal.SIGTERM, signal.SIGINT)
_UNBLOCK_S = 0.2
SLOW_START_S = 10.0
"""A worker that takes longer to start prints its stack on standard error."""
_POLL_S = 0.005


class GracefulServer(Server):  # type: ignore[misc, valid-type]
    """granian's server, whose workers also handle a SIGTERM that they receive while they start.

    A worker starts with the signals blocked, so that they stay pending, and unblocks them once its event
    loop runs. `listening` is called, on a thread, once connections are accepted. This overrides private
    methods of granian: pyproject.toml bounds its version.
    """

    def __init__(self, *args: Any, listening: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listening = listening

    def _spawn_workers(self, *args: Any, **kwargs: Any) -> None:
        super()._spawn_workers(*args, **kwargs)
        threading.Thread(target=self._watch, daemon=True).start()  # after the fork

    def _watch(self) -> None:
        address: Any = str(self.bind_uds)
        family = socket.AF_UNIX
        if self.bind_uds is None:
            family, *_, address = socket.getaddrinfo(self.bind_addr, self.bind_port)[0]
        while True:
            with socket.socket(family) as probe:
                if probe.connect_ex(address) == 0:
                    return self._listening()
            time.sleep(_POLL_S)

    def _spawn_worker(self, *args: Any, **kwargs: Any) -> Any:
        worker = super()._spawn_worker(*args, **kwargs)
        start = worker.start

        def start_blocked() -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
            try:
                start()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

        worker.start = start_blocked
        return worker


def load(settings: Settings, parent: int, *, is_test: bool) -> Application:
    """Make the application in a worker process, which is killed when `parent` ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    faulthandler.dump_traceback_later(SLOW_START_S)
    from smsign.main import make_app

    return make_app(settings, started=_started, is_test=is_test)


def _started() -> None:
    faulthandler.cancel_dump_traceback_later()
    # Delayed: granian installs its signal handlers only after the application has started.
    asyncio.get_running_loop().call_later(_UNBLOCK_S, signal.pthread_sigmask, signal.SIG_UNBLOCK, _STOPS)

"""The server's processes: how they end with the one that started them, and how no stop is missed."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from typing import TYPE_CHECKING, Any

from granian.server import Server

from smsign.config import Settings

if TYPE_CHECKING:
    from smsign.web.app import App

_PR_SET_PDEATHSIG = 1
_STOPS = (signal.SIGTERM, signal.SIGINT)
_SETTLE_S = 0.2


class PatientServer(Server):  # type: ignore[misc, valid-type]
    """granian's server, with workers that are not deaf to a stop while they are starting.

    They are born with the signals blocked, and let them in once their loop runs: what came before waits.
    """

    def _spawn_worker(self, *args: Any, **kwargs: Any) -> Any:
        worker = super()._spawn_worker(*args, **kwargs)
        start = worker.start

        def start_deaf() -> None:
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
            try:
                start()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

        worker.start = start_deaf
        return worker


def load(settings: Settings, parent: int) -> App:
    """Make the application, in a worker process that ends when `parent` does, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    from smsign.main import make_app

    return make_app(settings, started=_let_signals_in)


def _let_signals_in() -> None:
    # A little later: granian sets its own handlers only after the application has started.
    asyncio.get_running_loop().call_later(_SETTLE_S, signal.pthread_sigmask, signal.SIG_UNBLOCK, _STOPS)

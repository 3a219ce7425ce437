"""The worker processes of the server."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = """
import os, time
from smsign import config, main
from smsign.cli.operator import processes

def make_app(settings, *, started, is_test):
    time.sleep(1)

main.make_app = make_app
processes.SLOW_START_S = 0.2
processes.load(config.load({}), os.getppid(), is_test=False)
"""


@pytest.mark.process
def test_a_worker_that_starts_slowly_prints_its_stack() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLOW], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "in make_app" in done.stderr

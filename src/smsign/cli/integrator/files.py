"""Atomic writes: a file appears, or is replaced, when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from smsign.client import ClientError
from smsign.errors import SetupError


@contextmanager
def atomic_write(file: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Open a temporary text file, which replaces `file` at the end, and is removed on an error.

    Symbolic links are followed. What is not a regular file (a pipe, /dev/stdout) is written to directly.

    Raises: SetupError.
    """
    try:
        if file.exists() and (is_device(file) or not file.is_file()):
            with file.open("w", encoding=encoding, newline="") as out:
                yield out
            return
        file = file.resolve()
        written = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            with written.open("w", encoding=encoding, newline="") as out:
                yield out
            written.replace(file)
        finally:
            written.unlink(missing_ok=True)
    except ClientError:  # ApiConnectionError is an OSError too
        raise
    except OSError as error:
        raise SetupError(
            f"{file}: {error.strerror or error}", f"{file}：{error.strerror or error}"
        ) from error


def is_device(file: Path) -> bool:
    """Return whether a path is in /dev or /proc, such as /dev/stdin, even if that is a regular file."""
    return file.absolute().parts[1:2] in (("dev",), ("proc",))

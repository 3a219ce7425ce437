"""Files that commands write: each appears under its name when it is whole, and one that was there stays
until then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from smsign.client import ClientError
from smsign.errors import SetupError


@contextmanager
def whole(file: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Open a text file to write; it is moved in place at the end, and left out if that is not reached.

    Where a link leads is what is written. What is no regular file (a pipe, /dev/stdout) is written to as it
    is: to move something in its place would do away with it.

    Raises: SetupError.
    """
    try:
        if file.exists() and not _is_own(file):
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
    except ClientError:  # what is written came from a service, and it is away: an OSError too
        raise
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror or error}") from error


def _is_own(file: Path) -> bool:
    """Tell whether a file is one to put another in place of: regular, and no door to one that is open."""
    return file.is_file() and not is_device(file)


def is_device(file: Path) -> bool:
    """Tell whether a path is one of the system's own, such as /dev/stdin, whatever it leads to."""
    return file.absolute().parts[1:2] in (("dev",), ("proc",))

"""The start of the command `smsign`, also as `python -m smsign`: checks the version of Python first.

The SDK supports Python 3.9, the commands and the server do not, so this file must compile there.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or name the version of Python that it needs."""
    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:2]))
        sys.exit(
            f"smsign: the commands and the server need Python 3.11 or newer, and this is {found}; "
            "only the SDK, smsign.client, supports 3.9 and 3.10"
        )
    from smsign.cli import main as run

    run()


if __name__ == "__main__":
    main()

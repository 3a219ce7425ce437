"""An application: a client of the API, with its keys and settings."""

from __future__ import annotations

import re

import msgspec

from smsign.errors import InvalidInput

KEY_PATTERN = re.compile(r"[0-9a-f]{24}")
"""appKey and masterSecret: 24 characters each; a published client rejects any other length."""


class App(msgspec.Struct, frozen=True):
    """A row of `app`, without the encrypted secret. Times are UTC microseconds."""

    id: int
    name: str
    app_key: str
    secret_mac: bytes
    old_secret_mac: bytes | None
    old_secret_until: int | None
    sms_open: int
    use_by_hand: int
    in_use_id: int | None
    created_at: int
    test_delay_ms: int | None
    submissions_a_day: int

    @property
    def is_test(self) -> bool:
        """Return whether this is a sandbox application: its signatures are decided automatically."""
        return self.test_delay_ms is not None

    @property
    def actor(self) -> str:
        """Return the actor that the audit log records for this application."""
        return f"app:{self.app_key}"

    def macs(self, now: int) -> list[bytes]:
        """Return the MACs of the secrets that are valid at `now`: two during the overlap of a rotation."""
        if self.old_secret_mac is not None and (self.old_secret_until or 0) > now:
            return [self.secret_mac, self.old_secret_mac]
        return [self.secret_mac]


def check_name(name: str) -> str:
    """Return a valid name of an application.

    Raises: InvalidInput.
    """
    if not 1 <= len(name) <= 64 or not name.isprintable() or name != name.strip():
        raise InvalidInput(
            "name: 1 to 64 printable characters, no space at either end",
            "名称：1 至 64 个可见字符，首尾不能有空格",
        )
    if KEY_PATTERN.fullmatch(name):
        raise InvalidInput(
            "name: must not look like an appKey, or the two could be mistaken for each other",
            "名称：不能与 appKey 形式相同，以免混淆",
        )
    return name

"""Accounts of people, their roles, and the rules for names and passwords."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from smsign.errors import InvalidInput

PASSWORD_MIN = 10
PASSWORD_MAX = 200
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


class Role(StrEnum):
    """A role of a person; an account may have several."""

    OWNER = "owner"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Account(msgspec.Struct, frozen=True):
    """A row of `account`, without the encrypted TOTP secret. Times are UTC microseconds."""

    id: int
    name: str
    roles: str
    password: str
    has_totp: int
    enabled: int
    created_at: int

    @property
    def actor(self) -> str:
        """Return the actor that the audit log records for this person."""
        return f"account:{self.name}"

    def has(self, *roles: Role) -> bool:
        """Return whether the person has one of `roles`."""
        return not set(roles).isdisjoint(self.roles.split())


class SecondFactor(msgspec.Struct, frozen=True):
    """The second factor of an account: the encrypted secret, the last time step used, wrong codes so far.

    No code is checked before `wait_until`, UTC microseconds.
    """

    sealed: bytes
    used_step: int
    failures: int
    wait_until: int


CODES_MAX = 5
"""Codes that may be tried for each password given, and before the waits begin."""
WAIT_S, WAIT_MAX_S = 30, 3600


def wait_after(failures: int) -> int:
    """Return for how many seconds no code is checked after so many wrong ones; the time doubles each time."""
    return 0 if failures < CODES_MAX else min(WAIT_S << min(failures - CODES_MAX, 10), WAIT_MAX_S)


class Session(msgspec.Struct, frozen=True):
    """A row of `session`, without its token. Times are UTC microseconds."""

    id: int
    account_id: int
    address: str
    agent: str
    created_at: int
    seen_at: int


class Invitation(msgspec.Struct, frozen=True):
    """A single-use link: for a new account with `roles`, or for `account_id` to set a password."""

    id: int
    account_id: int | None
    app_id: int | None
    roles: str
    actor: str
    expires_at: int


def check_name(name: str) -> str:
    """Return a valid sign-in name.

    Raises: InvalidInput.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "name: 1 to 64 of a-z, 0-9 and . _ @ -, a letter or digit first",
            "用户名：1 至 64 个字符，可用 a-z、0-9 与 . _ @ -，以字母或数字开头",
        )
    return name


def check_password(password: str, *, name: str) -> str:
    """Return a password of a valid length; there are no composition rules (NIST SP 800-63B, 3.1.1).

    Raises: InvalidInput.
    """
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise InvalidInput(
            f"password: {PASSWORD_MIN} to {PASSWORD_MAX} characters; a few words make a good one",
            f"密码：{PASSWORD_MIN} 至 {PASSWORD_MAX} 个字符，几个词连在一起便于记忆",
        )
    if name and name in password.lower():
        raise InvalidInput("password: must not contain the name", "密码：不能包含用户名")
    return password


def check_roles(roles: Iterable[str]) -> str:
    """Return `roles` as stored: without duplicates, in a fixed order.

    Raises: InvalidInput when there is none, or one is unknown.
    """
    given = set(roles)
    if unknown := given - set(Role):
        raise InvalidInput(
            f"role: {min(unknown)} is not one of {', '.join(Role)}",
            f"角色：{min(unknown)} 不在 {', '.join(Role)} 之中",
        )
    if not given:
        raise InvalidInput("role: choose at least one", "角色：至少选择一个")
    return " ".join(role for role in Role if role in given)

"""Password hashing (argon2id), and hashes of the tokens in links and cookies."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import argon2

from smsign.domain.accounts import Account

T = TypeVar("T")

HASH_KIB = 47_104
"""Memory of one argon2id hash of one pass: OWASP's first choice. Two threads bound the total."""
_HASHERS = ThreadPoolExecutor(2, "argon2")


async def hash_password(password: str) -> str:
    """Return the argon2id hash, made on a thread: it takes tens of milliseconds by design."""
    return await _on_thread(_hasher().hash, password)


async def is_correct(account: Account | None, password: str) -> bool:
    """Return whether this is the account's password; takes as long without an account or a password."""
    known = account.password if account and account.password else _decoy()
    return await _on_thread(_verify, known, password) and bool(account and account.password)


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a token. Only this is stored, so a leaked table contains no usable token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


async def _on_thread(work: Callable[..., T], *args: str) -> T:
    return await asyncio.get_running_loop().run_in_executor(_HASHERS, work, *args)


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher().verify(hashed, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


@cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher(time_cost=1, memory_cost=HASH_KIB, parallelism=1)


@cache
def _decoy() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))

"""Idempotency-Key: valid keys, and when two submissions are the same."""

from __future__ import annotations

import hashlib

import msgspec

from smsign.domain.signatures import Submission
from smsign.errors import ApiError, Code

HEADER = "Idempotency-Key"
KEY_CHARACTERS = 255
KEPT_US = 7 * 86_400_000_000
"""How long a key is valid at least, in microseconds."""


class Answered(msgspec.Struct, frozen=True):
    """A row of `idempotency`: the submission sent with a key, and its response."""

    request_hash: bytes
    sign_id: int


def check_key(key: str) -> None:
    """Raise ApiError 51001 unless `key` is 1 to 255 visible ASCII characters."""
    if 0 < len(key) <= KEY_CHARACTERS and all("!" <= char <= "~" for char in key):
        return
    raise ApiError.of(
        Code.INVALID_PARAMETER,
        HEADER,
        f"not 1 to {KEY_CHARACTERS} visible ASCII characters",
        f"不是 1 至 {KEY_CHARACTERS} 个可见 ASCII 字符",
        "send a UUID, for example",
        "例如使用 UUID",
    )


def fingerprint(target: int | None, submission: Submission) -> bytes:
    """Return a SHA-256 over the target, the texts and the hashes of the images of a submission."""
    texts = sorted(submission.fields.items())
    images = sorted((image.slot, image.sha256) for image in submission.images)
    data = msgspec.json.encode([target or 0, submission.content, texts, images])
    return hashlib.sha256(data).digest()


def check_same(answered: Answered, request_hash: bytes) -> int:
    """Return the sign_id of the earlier response for a key.

    Raises: ApiError 51002 if that was for another submission.
    """
    if answered.request_hash == request_hash:
        return answered.sign_id
    raise ApiError.of(
        Code.KEY_REUSED,
        HEADER,
        f"used for another submission, sign_id {answered.sign_id}",
        f"此前已用于另一次提交，返回的 sign_id 为 {answered.sign_id}",
        "send a new key with a new submission",
        "新的提交请使用新的键",
    )

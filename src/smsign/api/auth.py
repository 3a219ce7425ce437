"""Basic authentication of applications (contract, HTTP Authentication)."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

from smsign.domain.apps import App
from smsign.domain.signatures import Signature
from smsign.errors import ApiError, Code
from smsign.http.throttle import Throttle
from smsign.storage.engine.protocol import Reader
from smsign.storage.rows import apps, signatures
from smsign.storage.vault import Vault

HEADER_CHARACTERS = 512
CACHED_HEADERS = 4096
"""Cache of decoded headers; their secrets are checked against the database at each request."""

_HEADER = "Authorization"


async def authenticate(
    db: Reader,
    vault: Vault,
    throttle: Throttle,
    *,
    header: str,
    address: str,
    now: int,
    signature_id: int | None = None,
) -> tuple[App, Signature | None]:
    """Return the application of an Authorization header, and its signature of this id, if any.

    Both come from one statement. `now` is UTC microseconds.

    Raises: ApiError 50001 without a header, 50002 for wrong credentials, 50009 after too many of them, 50008
    while the application's SMS service is closed.
    """
    if not header.strip():
        raise ApiError.of(
            Code.MISSING_AUTH,
            _HEADER,
            "missing or empty",
            "缺失或为空",
            "send Basic base64(appKey:masterSecret) with the first request: the server sends no challenge",
            "请在首个请求中就发送 Basic base64(appKey:masterSecret)，服务器不会发出质询",
        )
    key, secret = decode(header)
    now_s = now / 1e6
    throttle.check(key, address, now_s)
    app, signature = await _find(db, key, signature_id)
    if app is None or not vault.matches(secret, app.macs(now)):
        throttle.failed(key, address, now_s)
        raise ApiError.of(
            Code.AUTH_FAILED,
            _HEADER,
            "no application has this appKey and masterSecret",
            "没有与此 appKey 和 masterSecret 匹配的应用",
            "check both in the application's settings",
            "请在应用设置中核对两者",
        )
    if not app.sms_open:
        raise ApiError.of(
            Code.NO_SMS_SERVICE,
            _HEADER,
            "the application's SMS service is closed",
            "该应用未开通短信服务",
            "ask the operator to open it",
            "请联系运营方开通",
        )
    return app, signature


async def _find(db: Reader, key: str, signature_id: int | None) -> tuple[App | None, Signature | None]:
    if signature_id is None:
        return await apps.find_by_key(db, key), None
    return await signatures.find_with_app(db, key, signature_id) or (None, None)


def decode(header: str) -> tuple[str, str]:
    """Return the key and the secret of an Authorization header.

    Raises: ApiError 50002.
    """
    return _decode(header[: HEADER_CHARACTERS + 1])


@lru_cache(maxsize=CACHED_HEADERS)
def _decode(header: str) -> tuple[str, str]:
    kind, _, credentials = header.strip().partition(" ")
    try:
        key, colon, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        kind, colon, key, secret = "", "", "", ""
    if kind.lower() != "basic" or not colon or "\0" in key or len(header) > HEADER_CHARACTERS:
        raise ApiError.of(
            Code.AUTH_FAILED,
            _HEADER,
            "not Basic base64(appKey:masterSecret)",
            "不是 Basic base64(appKey:masterSecret)",
            "join appKey and masterSecret with a colon and encode them as base64",
            "以冒号连接 appKey 与 masterSecret 后做 base64 编码",
        )
    return key, secret

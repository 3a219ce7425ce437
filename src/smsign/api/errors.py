"""The one table of HTTP statuses, and how a refusal is written (contract, Return Code)."""

from __future__ import annotations

from smsign.errors import ApiError, Code, MethodNotSupported, OutOfFreq, TooManySubmissions
from smsign.http.wire import JSON, Response, encode

STATUS = {
    Code.SUCCESS: 200,
    Code.MISSING_AUTH: 400,
    Code.AUTH_FAILED: 401,
    Code.MISSING_BODY: 400,
    Code.INVALID_BODY: 403,
    Code.NO_SMS_SERVICE: 403,
    Code.OUT_OF_FREQ: 429,
    Code.INVALID_TEMP_ID: 403,
    Code.API_NOT_FOUND: 404,
    Code.MEDIA_NOT_SUPPORTED: 415,
    Code.METHOD_NOT_SUPPORTED: 405,
    Code.SERVER_ERROR: 500,
    Code.WRONG_TEMPLATE_TYPE: 403,
    Code.INVALID_IMAGE: 403,
    Code.INVALID_SIGN_ID: 403,
    Code.OTHER_IN_AUDIT: 403,
    Code.INVALID_SIGNATURE: 403,
    Code.IN_USE: 403,
    Code.INVALID_PARAMETER: 400,
    Code.KEY_REUSED: 422,
    Code.TOO_MANY_SUBMISSIONS: 429,
    Code.UNKNOWN_CALLBACK: 404,
    Code.NOT_VERIFIED: 422,
}


def answer(refusal: ApiError, language: str) -> Response:
    """Return the response of a refusal, its details in `language`."""
    code = refusal.code
    details = [
        {"field": problem.field, "reason": problem.reason.to(language), "hint": problem.hint.to(language)}
        for problem in refusal.problems
    ]
    body = {"error": {"code": int(code), "message": code.message, "details": details}}
    return Response(STATUS[code], encode(body), (JSON, *_headers(refusal)), int(code))


def _headers(refusal: ApiError) -> list[tuple[bytes, bytes]]:
    if isinstance(refusal, MethodNotSupported):
        return [(b"allow", refusal.allow.encode())]
    if isinstance(refusal, OutOfFreq | TooManySubmissions):
        return [(b"retry-after", str(refusal.retry_after_s).encode())]
    if refusal.code == Code.AUTH_FAILED:
        return [(b"www-authenticate", b'Basic realm="smsign", charset="UTF-8"')]
    return []

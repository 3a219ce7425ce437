"""The table of HTTP statuses, and the body and headers of an error response (contract, Return Code)."""

from __future__ import annotations

from smsign.errors import ApiError, Code, Problem
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


def error_response(error: ApiError, language: str) -> Response:
    """Return the response for an error, its details in `language`."""
    code = error.code
    details = [detail(problem, language) for problem in error.problems]
    body = {"error": {"code": int(code), "message": code.message, "details": details}}
    return Response(STATUS[code], encode(body), (JSON, *_headers(error)), int(code))


def detail(problem: Problem, language: str) -> dict[str, object]:
    """Return a problem as JSON, its texts in `language`."""
    return {"field": problem.field, "reason": problem.reason.to(language), "hint": problem.hint.to(language)}


def _headers(error: ApiError) -> list[tuple[bytes, bytes]]:
    if error.allow:
        return [(b"allow", error.allow.encode())]
    if error.retry_after_s is not None:
        return [(b"retry-after", b"%d" % error.retry_after_s)]
    if error.code == Code.AUTH_FAILED:
        return [(b"www-authenticate", b'Basic realm="smsign", charset="UTF-8"')]
    return []

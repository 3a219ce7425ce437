"""The OpenAPI document: `openapi.json` beside this file, in one language and with the limits of the settings.

The file is written by hand. `x-zh` has the Chinese of the texts beside it, and is not served;
`{sources}` stands for the sources of a signature and their numbers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from smsign.api.etags import is_known
from smsign.domain.signatures import TYPES, Rules
from smsign.http.service import Service
from smsign.http.wire import JSON, Request, Response, encode

_CHINESE = "x-zh"


async def show(service: Service, request: Request) -> Response:
    """`GET /openapi.json`."""
    body, tag = _encoded(service.rules, request.language)
    headers = (
        (b"etag", f'"{tag}"'.encode()),
        (b"cache-control", b"no-cache"),
        (b"vary", b"accept-language"),
        (b"access-control-allow-origin", b"*"),
    )
    if is_known(request, tag):
        return Response(304, b"", headers)
    return Response(200, body, (JSON, *headers))


def document(rules: Rules, language: str) -> dict[str, Any]:
    """Return the document with its texts in `language` and the limits of `rules`."""
    spec: dict[str, Any] = _in_language(
        msgspec.json.decode(resources.files("smsign.api").joinpath("openapi.json").read_bytes()), language
    )
    fields = spec["components"]["schemas"]["Submission"]["properties"]
    fields["sign"]["minLength"], fields["sign"]["maxLength"] = rules.content_min, rules.content_max
    sources = [f"`{number}` {name.to(language)}" for number, name in TYPES.items()]
    kind = fields["type"]
    kind["description"] = kind["description"].format(
        sources=("，" if language == "zh" else ", ").join(sources)
    )
    return spec


@lru_cache(maxsize=8)
def _encoded(rules: Rules, language: str) -> tuple[bytes, str]:
    body = encode(document(rules, language))
    return body, hashlib.sha256(body).hexdigest()[:32]


def _in_language(node: Any, language: str) -> Any:
    if isinstance(node, list):
        return [_in_language(each, language) for each in node]
    if not isinstance(node, dict):
        return node
    texts = node.get(_CHINESE, {}) if language == "zh" else {}
    return {
        name: texts[name] if name in texts else _in_language(value, language)
        for name, value in node.items()
        if name != _CHINESE
    }

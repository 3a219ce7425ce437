"""The API reference at `/reference`: the OpenAPI document as one page, which works without its script."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from importlib import resources
from typing import Any

from smsign import __version__
from smsign.api.openapi import document
from smsign.api.operations import language_of, page_response
from smsign.api.samples import Call, pretty, samples
from smsign.domain.signatures import Rules
from smsign.http.service import Service
from smsign.http.wire import Request, Response

_BASE = "{{base}}"
_CHOSEN = "{{chosen}}"
_CALLBACK = "{url}"
"""The path of webhooks: they are sent to the URL of a callback."""


async def show(service: Service, request: Request) -> Response:
    """`GET /reference`."""
    language, chosen = language_of(request)
    page = _page(service.rules, language).replace(_CHOSEN, chosen)
    return page_response(page.replace(_BASE, escape(service.origin(request))), chosen)


@lru_cache(maxsize=8)
def _page(rules: Rules, language: str) -> str:
    from jinja2 import Environment, StrictUndefined  # imported late: a start without it is faster
    from markupsafe import Markup

    spec = document(rules, language)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = lambda text: Markup(_prose(text))  # noqa: S704
    environment.filters["kind"] = _chinese_kind if language == "zh" else str
    source = resources.files("smsign.api").joinpath("pages", "reference.html").read_text("utf-8")
    return environment.from_string(source).render(
        language=language,
        chosen=_CHOSEN,
        info=spec["info"],
        tags=_by_tag(spec),
        schemas=[_schema(spec, name, schema) for name, schema in spec["components"]["schemas"].items()],
        codes=_codes(spec),
        version=__version__,
    )


def _by_tag(spec: dict[str, Any]) -> list[dict[str, Any]]:
    operations: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in spec["tags"]}
    webhooks = ((_CALLBACK, methods) for methods in spec["webhooks"].values())
    for path, methods in (*spec["paths"].items(), *webhooks):
        for method, operation in methods.items():
            operations[operation["tags"][0]].append(_operation(spec, path, method, operation))
    return [tag | {"operations": operations[tag["name"]]} for tag in spec["tags"] if operations[tag["name"]]]


def _operation(spec: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [_follow(spec, each) for each in operation.get("parameters", ())]
    body = _follow(spec, operation.get("requestBody", {}))
    media, content = _content(body)
    fields = _fields(spec, _follow(spec, content.get("schema", {})))
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "samples": _samples(
            method, path, parameters, media, content, open_to_all=operation.get("security") == []
        ),
        "parameters": [
            {
                "name": each["name"],
                "where": each["in"],
                "required": each.get("required", False),
                "type": _type(spec, each["schema"]),
                "description": each.get("description", ""),
            }
            for each in parameters
        ],
        "media": media,
        "fields": fields,
        "responses": [
            _response(spec, status, _follow(spec, each)) for status, each in operation["responses"].items()
        ],
    }


def _response(spec: dict[str, Any], status: str, response: dict[str, Any]) -> dict[str, Any]:
    media, content = _content(response)
    schema = content.get("schema", {})
    examples = {name: _follow(spec, each)["value"] for name, each in content.get("examples", {}).items()}
    if "example" in content:
        examples = {"": content["example"]}
    return {
        "status": status,
        "outcome": "good" if status[0] in "23" else "bad",
        "descriptions": re.split("; (?=5)|；(?=5)", response["description"]),
        "media": media,
        "schema": schema["$ref"].rpartition("/")[2] if "$ref" in schema else "",
        "examples": [(name, pretty(value)) for name, value in examples.items()],
    }


def _content(node: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    for media, content in node.get("content", {}).items():
        return media, content
    return "", {}


def _schema(spec: dict[str, Any], name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": schema.get("description", ""),
        "type": _type(spec, {each: value for each, value in schema.items() if each != "properties"}),
        "fields": _fields(spec, schema),
    }


def _fields(spec: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    inherited = [field for each in schema.get("allOf", ()) for field in _fields(spec, _follow(spec, each))]
    return inherited + [
        {
            "name": name,
            "required": name in schema.get("required", ()),
            "type": _type(spec, field),
            "description": field.get("description") or _follow(spec, field).get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _type(spec: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return a schema in a few words; a name in brackets becomes a link to that schema."""
    if "$ref" in schema:
        return f"[{schema['$ref'].rpartition('/')[2]}]"
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_type(spec, each) for each in schema["anyOf"])
    kind = schema.get("type", "")
    kind = " | ".join(kind) if isinstance(kind, list) else kind
    if kind == "array":
        return f"array of {_type(spec, schema.get('items', {}))}"
    if "binary" in schema.get("format", "") or "octet-stream" in schema.get("contentMediaType", ""):
        return "file"
    if kind == "object" and len(schema.get("properties", ())) == 1:
        ((name, only),) = schema["properties"].items()
        return f"{{{name}: {_type(spec, only)}}}"
    bounds = _bounds(schema)
    return f"{schema.get('format', kind)}{f', {bounds}' if bounds else ''}"


def _chinese_kind(kind: str) -> str:
    """Return a type that `_type` has put into words, in Chinese; names of types stay."""
    kind = re.sub(r"\bfile\b", "文件", kind.replace(" characters", " 个字符"))
    return re.sub(r"array of (\S+)", r"\1 数组", kind)


def _bounds(schema: dict[str, Any]) -> str:
    for least, most, unit in (("minimum", "maximum", ""), ("minLength", "maxLength", " characters")):
        if most in schema:
            return f"{schema.get(least, 0)}–{schema[most]}{unit}"
        if least in schema:
            return f"≥ {schema[least]}{unit}"
    return ""


def _codes(spec: dict[str, Any]) -> list[tuple[str, str]]:
    examples = spec["components"]["examples"]
    return [(code, example["value"]["error"]["message"]) for code, example in examples.items()]


def _samples(
    method: str, path: str, parameters: list[Any], media: str, content: dict[str, Any], *, open_to_all: bool
) -> list[tuple[str, str, str]]:
    if path == _CALLBACK:
        return []
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(each["example"]))
    form = media == "multipart/form-data"
    return samples(
        Call(
            method=method.upper(),
            url=_BASE + path,
            authenticated=not open_to_all,
            form=form,
            json=content["example"] if media and not form else None,
        )
    )


def _follow(spec: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = spec
        for part in node["$ref"].split("/")[1:]:
            found = found[part]
        node = found
    return node


def _prose(text: str) -> str:
    """Return a text as HTML: paragraphs, `code`, and links to [Schemas]."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    html = re.sub(r"\[([A-Z]\w+)\]", r'<a href="#schema-\1">\1</a>', html)
    return html.replace("\n\n", "</p><p>")

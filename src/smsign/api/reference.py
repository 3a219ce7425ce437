"""The page of all calls at `/reference`, made from the document: no script, nothing from elsewhere."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from importlib import resources
from typing import Any

import msgspec

from smsign import __version__
from smsign.api.openapi import document
from smsign.api.operations import answer_page, language_of
from smsign.domain.signatures import Rules
from smsign.http.service import Service
from smsign.http.wire import Request, Response

_BASE = "{{base}}"
_CHOSEN = "{{chosen}}"
_STATUS = {"2": "good", "3": "good"}


async def show(service: Service, request: Request) -> Response:
    """`GET /reference`."""
    language, chosen = language_of(request)
    page = _page(service.rules, language).replace(_CHOSEN, chosen)
    return answer_page(page.replace(_BASE, escape(service.origin(request))), chosen)


@lru_cache(maxsize=8)
def _page(rules: Rules, language: str) -> str:
    from jinja2 import Environment, StrictUndefined  # made once for a language, not at every start
    from markupsafe import Markup

    told = document(rules, language)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = lambda text: Markup(_prose(text))  # noqa: S704
    source = resources.files("smsign.api").joinpath("pages", "reference.html").read_text("utf-8")
    return environment.from_string(source).render(
        language=language,
        chosen=_CHOSEN,
        info=told["info"],
        tags=_by_tag(told),
        schemas=[_schema(told, name, schema) for name, schema in told["components"]["schemas"].items()],
        codes=_codes(told),
        version=__version__,
    )


def _by_tag(told: dict[str, Any]) -> list[dict[str, Any]]:
    operations: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in told["tags"]}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            operations[operation["tags"][0]].append(_operation(told, path, method, operation))
    return [tag | {"operations": operations[tag["name"]]} for tag in told["tags"] if operations[tag["name"]]]


def _operation(told: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [_follow(told, each) for each in operation.get("parameters", ())]
    body = _follow(told, operation.get("requestBody", {}))
    media, content = _content(body)
    fields = _fields(told, _follow(told, content.get("schema", {})))
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "curl": _curl(method, path, parameters, media, content, open_to_all=operation.get("security") == []),
        "parameters": [
            {
                "name": each["name"],
                "where": each["in"],
                "required": each.get("required", False),
                "type": _type(told, each["schema"]),
                "description": each.get("description", ""),
            }
            for each in parameters
        ],
        "media": media,
        "fields": fields,
        "responses": [
            _response(told, status, _follow(told, each)) for status, each in operation["responses"].items()
        ],
    }


def _response(told: dict[str, Any], status: str, response: dict[str, Any]) -> dict[str, Any]:
    media, content = _content(response)
    schema = content.get("schema", {})
    examples = {name: _follow(told, each)["value"] for name, each in content.get("examples", {}).items()}
    if "example" in content:
        examples = {"": content["example"]}
    return {
        "status": status,
        "look": _STATUS.get(status[0], "bad"),
        "descriptions": re.split("; (?=5)|；(?=5)", response["description"]),
        "media": media,
        "schema": schema["$ref"].rpartition("/")[2] if "$ref" in schema else "",
        "examples": [(name, _pretty(value)) for name, value in examples.items()],
    }


def _content(node: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    for media, content in node.get("content", {}).items():
        return media, content
    return "", {}


def _schema(told: dict[str, Any], name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "description": schema.get("description", ""),
        "type": _type(told, {each: value for each, value in schema.items() if each != "properties"}),
        "fields": _fields(told, schema),
    }


def _fields(told: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "required": name in schema.get("required", ()),
            "type": _type(told, field),
            "description": field.get("description") or _follow(told, field).get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _type(told: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return a schema in a few words; a name in brackets is that of a schema on the page."""
    if "$ref" in schema:
        return f"[{schema['$ref'].rpartition('/')[2]}]"
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_type(told, each) for each in schema["anyOf"])
    kind = schema.get("type", "")
    kind = " | ".join(kind) if isinstance(kind, list) else kind
    if kind == "array":
        return f"array of {_type(told, schema.get('items', {}))}"
    if schema.get("format") == "binary" or "contentMediaType" in schema:
        return "file"
    if kind == "object" and len(schema.get("properties", ())) == 1:
        ((name, only),) = schema["properties"].items()
        return f"{{{name}: {_type(told, only)}}}"
    bounds = _bounds(schema)
    return f"{schema.get('format', kind)}{f', {bounds}' if bounds else ''}"


def _bounds(schema: dict[str, Any]) -> str:
    for least, most, unit in (("minimum", "maximum", ""), ("minLength", "maxLength", " characters")):
        if most in schema:
            return f"{schema.get(least, 0)}–{schema[most]}{unit}"
        if least in schema:
            return f"≥ {schema[least]}{unit}"
    return ""


def _codes(told: dict[str, Any]) -> list[tuple[str, str]]:
    examples = told["components"]["examples"]
    return [(code, example["value"]["error"]["message"]) for code, example in examples.items()]


def _curl(
    method: str, path: str, parameters: list[Any], media: str, content: dict[str, Any], *, open_to_all: bool
) -> str:
    for each in parameters:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(each["example"]))
    words = ["curl", *([] if method == "get" or media else [f"-X {method.upper()}"])]
    if method == "put" and media:
        words.append("-X PUT")
    if not open_to_all:
        words.append("-u APP_KEY:MASTER_SECRET")
    line = " ".join([*words, _BASE + path])
    if media == "multipart/form-data":
        line += " \\\n  -F 'sign=极光推送' -F 'image0=@licence.png'"
    elif media:
        line += f" --json '{_pretty(content['example'])}'"
    return line


def _follow(told: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = told
        for part in node["$ref"].split("/")[1:]:
            found = found[part]
        node = found
    return node


def _pretty(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) < 60 else msgspec.json.format(text, indent=2)


def _prose(text: str) -> str:
    """Return HTML of paragraphs, with `code` and links to [Schemas]."""
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    told = re.sub(r"\[([A-Z]\w+)\]", r'<a href="#schema-\1">\1</a>', told)
    return told.replace("\n\n", "</p><p>")

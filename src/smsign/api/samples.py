"""Samples of a call in four languages, for the API reference. Each runs as it is; Java in a method."""

from __future__ import annotations

from typing import Any

import msgspec

KEY, SECRET = "APP_KEY", "MASTER_SECRET"
SIGN, IMAGE = "极光推送", "licence.png"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call: `json` is the body, unless `form` says that it is the form of a submission."""

    method: str
    url: str
    authenticated: bool
    form: bool = False
    json: Any = None


def samples(call: Call) -> list[tuple[str, str, str]]:
    """Return (key, name of the language, sample) for each language."""
    return [
        ("curl", "curl", _curl(call)),
        ("python", "Python", _python(call)),
        ("javascript", "JavaScript", _javascript(call)),
        ("java", "Java", _java(call)),
    ]


def pretty(value: object) -> str:
    """Return a value as JSON, in one line if it is short."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) < 60 else msgspec.json.format(text, indent=2)


def _curl(call: Call) -> str:
    by_itself = "POST" if call.form or call.json is not None else "GET"
    method = f" -X {call.method}" if call.method != by_itself else ""
    auth = f" -u {KEY}:{SECRET}" if call.authenticated else ""
    line = f"curl{method}{auth} {call.url}"
    if call.form:
        line += f" \\\n  -F 'sign={SIGN}' -F 'image0=@{IMAGE}'"
    elif call.json is not None:
        line += f" --json '{pretty(call.json)}'"
    return line


def _python(call: Call) -> str:
    lines = [f'    "{call.url}",']
    if call.authenticated:
        lines.append(f'    auth=("{KEY}", "{SECRET}"),')
    if call.form:
        lines += [f'    data={{"sign": "{SIGN}"}},', f'    files={{"image0": open("{IMAGE}", "rb")}},']
    elif call.json is not None:
        lines.append(f"    json={call.json!r},")
    arguments = "\n".join(lines)
    return f"""import requests

response = requests.{call.method.lower()}(
{arguments}
)
print(response.status_code, response.text)"""


def _javascript(call: Call) -> str:
    head = body = ""
    headers, options = [], [f'  method: "{call.method}",']
    if call.authenticated:
        headers.append(f'Authorization: `Basic ${{btoa("{KEY}:{SECRET}")}}`')
    if call.form:
        head = 'import { openAsBlob } from "node:fs";\n\n'
        body = f"""const body = new FormData();
body.set("sign", "{SIGN}");
body.set("image0", await openAsBlob("{IMAGE}"), "{IMAGE}");
"""
        options.append("  body,")
    elif call.json is not None:
        headers.append('"Content-Type": "application/json"')
        indented = pretty(call.json).replace("\n", "\n  ")
        options.append(f"  body: JSON.stringify({indented}),")
    if headers:
        options.insert(1, "  headers: {\n    " + ",\n    ".join(headers) + ",\n  },")
    request = "\n".join(options)
    return f"""{head}{body}const response = await fetch("{call.url}", {{
{request}
}});
console.log(response.status, await response.text());"""


def _java(call: Call) -> str:
    imports = [
        "java.net.URI",
        "java.net.http.*",
        "java.net.http.HttpRequest.*",
        "java.net.http.HttpResponse.*",
    ]
    before, lines = "", []
    body = "BodyPublishers.noBody()"
    if call.authenticated:
        imports.append("java.util.Base64")
        before = (
            f"""String credentials = Base64.getEncoder().encodeToString("{KEY}:{SECRET}".getBytes());\n"""
        )
        lines.append('    .header("Authorization", "Basic " + credentials)')
    if call.form:
        imports.append("java.nio.file.Path")
        before += f'''String head = """
    --boundary\\r
    Content-Disposition: form-data; name="sign"\\r
    \\r
    {SIGN}\\r
    --boundary\\r
    Content-Disposition: form-data; name="image0"; filename="{IMAGE}"\\r
    \\r
    """;
BodyPublisher body = BodyPublishers.concat(
    BodyPublishers.ofString(head),
    BodyPublishers.ofFile(Path.of("{IMAGE}")),
    BodyPublishers.ofString("\\r\\n--boundary--\\r\\n"));
'''
        body = "body"
        lines.append('    .header("Content-Type", "multipart/form-data; boundary=boundary")')
    elif call.json is not None:
        indented = pretty(call.json).replace("\n", "\n    ")
        before += f'String json = """\n    {indented}""";\n'
        body = "BodyPublishers.ofString(json)"
        lines.append('    .header("Content-Type", "application/json")')
    request = "\n".join([*lines, f'    .method("{call.method}", {body})', "    .build();"])
    head = "\n".join(f"import {name};" for name in imports)
    return f"""{head}

{before}HttpRequest request = HttpRequest.newBuilder(URI.create("{call.url}"))
{request}
HttpResponse<String> response =
    HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
System.out.println(response.statusCode() + " " + response.body());"""

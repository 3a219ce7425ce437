"""The source of a signature, sent as a number: people read its name beside it, in either language."""

from __future__ import annotations

import re

import httpx
import pytest

from smsign.api import openapi
from smsign.domain.signatures import TYPES, Rules
from tests.images import noise
from tests.running import Server

LANGUAGES = ("en", "zh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_show_the_name_of_a_source_beside_its_number(
    server: Server, name: str, language: str
) -> None:
    key = server.make_app()
    response = httpx.post(
        f"{server.url}/v1/sign",
        auth=key.auth,
        data={"sign": "星河物流", "type": "4"},
        files={"image0": noise()},
    )
    sign_id = response.json()["sign_id"]
    source = f"4 · {TYPES['4'].to(language)}"
    account = server.make_account(name, "admin", "auditor")
    with server.visitor(account, **{"Accept-Language": language}) as visitor:
        assert f"<dd>{source}</dd>" in visitor.get(f"/console/signatures/{sign_id}").text
        assert visitor.post(f"/console/desk/{sign_id}/take").status_code == 303
        assert f"<dd>{source}</dd>" in visitor.get(f"/console/desk/{sign_id}").text
        refusal = {"verdict": "refuse", "version": "1", "reason": "unreadable"}
        assert visitor.post(f"/console/desk/{sign_id}", data=refusal).status_code == 303
        form = visitor.get(f"/console/signatures/{sign_id}/resubmit").text
    assert "2 MB" in form, "the limit of an image, as the API's errors state it"
    shown = re.findall(r'<option value="(\d)"( selected)?>(.+?)</option>', form)
    assert shown == [
        (number, " selected" if number == "4" else "", f"{number} · {kind.to(language)}")
        for number, kind in TYPES.items()
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_openapi_document_names_every_source(language: str) -> None:
    fields = openapi.document(Rules(), language)["components"]["schemas"]["Submission"]["properties"]
    assert fields["type"]["enum"] == list(TYPES)
    for number, kind in TYPES.items():
        assert f"`{number}` {kind.to(language)}" in fields["type"]["description"]

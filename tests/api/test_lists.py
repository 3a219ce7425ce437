"""The list of signatures: filters, pagination, invalid parameters."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api import raw
from tests.api.api import api, expect_error, fields, submit
from tests.running import Key, Server

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def seven(server: Server) -> tuple[Key, list[int]]:
    """An application with seven signatures: passed, refused, in turn; the last is in the audit."""
    app = server.make_app()
    made = []
    with api(server, app) as client:
        for n in range(7):
            made.append(submit(client, ("签名", "商标", "Ab")[n % 3] + str(n)))
            if n < 6:
                server.decide(made[-1], passed=n % 2 == 0, note="模糊")
    return app, made


def ids(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [sign["sign_id"] for sign in response.json()["signs"]]


def test_a_list_is_newest_first_and_has_the_fields_of_the_query(server: Server, seven: Any) -> None:
    app, made = seven
    with api(server, app) as client:
        response = client.get("/v1/signs")
        assert ids(response) == made[::-1]
        assert response.json()["next"] is None
        for sign in response.json()["signs"]:
            queried = client.get(f"/v1/sign/{sign['sign_id']}").json()
            assert list(queried) == list(sign)[: len(queried)]
            assert queried.items() <= sign.items()
            assert list(sign)[len(queried) :] == ["version", "created_at", "submitted_at"]


@pytest.mark.parametrize(
    "query, wanted",
    [
        ("status=0", [6]),
        ("status=1", [4, 2, 0]),
        ("status=2", [5, 3, 1]),
        ("use_status=1", [4]),
        ("use_status=0", [6, 5, 3, 2, 1, 0]),
        ("use_status=1&status=2", []),
        ("use_status=0&status=1", [2, 0]),
        ("sign=签名3", [3]),
        ("sign=%E7%AD%BE%E5%90%8D3", [3]),
        ("sign=签名", []),
        ("prefix=签名", [6, 3, 0]),
        ("prefix=Ab&status=2", [5]),
        ("prefix=ab", []),
        ("prefix=签名&sign=商标1", []),
        ("prefix=签名&sign=签名6", [6]),
        ("sign=%25", []),
        ("limit=2", [6, 5]),
        ("since=2001-01-01T00:00:00Z", [6, 5, 4, 3, 2, 1, 0]),
        ("since=9999-12-31T23:59:59Z", []),
        ("until=0001-01-01T00:00:00%2B14:00", []),
        ("until=2001-01-01T00:00:00.123456789-05:00", []),
    ],
)
def test_a_list_is_filtered(server: Server, seven: Any, query: str, wanted: list[int]) -> None:
    app, made = seven
    with api(server, app) as client:
        assert ids(client.get(f"/v1/signs?{query}")) == [made[n] for n in wanted]


@pytest.mark.parametrize("query", ["", "&status=1", "&prefix=签名", "&use_status=0"])
def test_pagination_visits_each_signature_once(server: Server, seven: Any, query: str) -> None:
    app, _ = seven
    with api(server, app) as client:
        whole = ids(client.get(f"/v1/signs?limit=100{query}"))
        for limit in (1, 2, 3):
            walked: list[int] = []
            cursor = ""
            while True:
                response = client.get(f"/v1/signs?limit={limit}{query}{cursor}")
                walked += ids(response)
                assert len(ids(response)) <= limit
                if response.json()["next"] is None:
                    break
                cursor = f"&cursor={response.json()['next']}"
            assert walked == whole


def test_since_is_inclusive_and_until_exclusive(server: Server, seven: Any) -> None:
    app, made = seven
    with api(server, app) as client:
        at = {sign["sign_id"]: sign["created_at"] for sign in client.get("/v1/signs").json()["signs"]}
        span = {"since": at[made[1]], "until": at[made[4]]}
        assert ids(client.get("/v1/signs", params=span)) == [made[3], made[2], made[1]]


BAD = {
    "status": ["3", "-1", "x", "", "1.0", "٣", "9" * 400],
    "use_status": ["2", "true"],
    "sign": ["", "x" * 65, "%00", "a%00b"],
    "prefix": ["", "x" * 65, "%00"],
    "since": ["", "now", "2026-11-24", "2026-13-01T00:00:00Z", "2026-11-24T23:15:52", "2026-11-24T24:00:61Z"],
    "until": ["0", "2026-11-24T23:15:52+08:00", "99999-01-01T00:00:00Z"],
    "limit": ["0", "101", "-5", "1e2", "18446744073709551616"],
    "cursor": ["", "x", "1", "1-2-3", "-1-2", "1-G", "1-A", "é", "%00", "٣-٣", "9" * 3000],
    "nonsense": ["", "1"],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in BAD.items() for value in values])
def test_an_invalid_parameter_is_named(server: Server, reader: Key, name: str, value: str) -> None:
    with api(server, reader) as client:
        assert fields(client.get(f"/v1/signs?{name}={value}"), 51001) == [name]


def test_all_invalid_parameters_are_named_at_once(server: Server, reader: Key) -> None:
    with api(server, reader) as client:
        response = client.get("/v1/signs?status=9&limit=0&since=x&cursor=%21&colour=red&sign=a&sign=b")
        assert sorted(fields(response, 51001)) == ["colour", "cursor", "limit", "sign", "since", "status"]


@pytest.mark.parametrize("query", ["sign=%ff", "%ff=1", "sign=%c0%80", "sign=%ed%a0%80"])
def test_a_query_string_that_is_not_utf_8_is_an_error(server: Server, reader: Key, query: str) -> None:
    response = raw.send(server, raw.request("GET", f"/v1/signs?{query}", auth=raw.basic(reader)))
    assert (response.status, response.code) == (400, 51001)


def test_a_thousand_parameters_are_an_error(server: Server, reader: Key) -> None:
    with api(server, reader) as client:
        query = "&".join(f"p{n}=1" for n in range(1000))
        assert fields(client.get(f"/v1/signs?{query}"), 51001) == ["query"]


def test_another_applications_signatures_are_neither_listed_nor_shown(
    server: Server, seven: Any, reader: Key
) -> None:
    _, made = seven
    with api(server, reader) as client:
        assert ids(client.get("/v1/signs")) == []
        for method, path in (
            ("GET", ""),
            ("POST", "/withdraw"),
            ("GET", "/versions/1/images/image0"),
        ):
            for sign_id in (made[0], "0", "x", 2**31):
                expect_error(client.request(method, f"/v1/signs/{sign_id}{path}"), 50102)

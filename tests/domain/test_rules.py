"""The pure rules: image slots, text fields, reasons, names, ids, and the hash of an event."""

from __future__ import annotations

import hashlib

import pytest

from smsign.config import networks
from smsign.domain import audits, events, images
from smsign.domain.apps import check_name
from smsign.domain.signatures import check_fields
from smsign.errors import ApiError, Code, InvalidInput, SetupError, raise_if_any
from smsign.http.service import client_address
from smsign.http.wire import language, sign_id


def test_images_without_a_number_get_the_lowest_free_slots() -> None:
    slots, problems = images.assign_slots(["images", "image0", "images", "otherImage"])
    assert slots == ["image1", "image0", "image2", "otherImage"]
    assert problems == []


def test_a_fifth_image_and_a_repeated_image_field_are_problems() -> None:
    _, problems = images.assign_slots(
        ["image0", "images", "images", "images", "images", "idCardImage", "idCardImage"]
    )
    assert [problem.field for problem in problems] == ["images", "idCardImage"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"type": "7", "remark": "备" * 100}, []),
        ({"type": "8"}, ["type"]),
        (
            {"type": "一", "remark": "备" * 101, "legalPersonName": "\0"},
            ["type", "remark", "legalPersonName"],
        ),
    ],
)
def test_text_fields_are_validated(fields: dict[str, str], wrong: list[str]) -> None:
    assert [problem.field for problem in check_fields(fields)] == wrong


def test_the_first_code_in_the_contracts_order_is_returned_with_all_problems() -> None:
    body = check_fields({"type": "9"})
    image = [images.problem("image0", "a", "b", "c", "d")]
    with pytest.raises(ApiError) as error:
        raise_if_any([*image, *body])
    assert error.value.code == Code.INVALID_BODY
    assert [problem.field for problem in error.value.problems] == ["type", "image0"]


def test_a_refusal_needs_known_reasons_and_sorts_them() -> None:
    assert audits.check_refusal(["format", "unreadable:image2", "format"]) == {
        "unreadable": "image2",
        "format": "sign",
    }
    for reasons in (["none_such"], [], ["format:mood"]):
        with pytest.raises(InvalidInput):
            audits.check_refusal(reasons)


@pytest.mark.parametrize("note", ["x" * 501, "a\0b", "a\ud800"])
def test_a_note_is_valid_text_of_at_most_500_characters(note: str) -> None:
    with pytest.raises(InvalidInput):
        audits.check_note(note)


def test_every_reason_has_texts_in_both_languages() -> None:
    assert list(audits.REASONS) == [
        "name_mismatch",
        "wrong_source",
        "too_generic",
        "not_registered",
        "unreadable",
        "third_party",
        "trade",
        "format",
    ]
    for reason in audits.REASONS.values():
        assert reason.title.zh != reason.title.en
        assert reason.advice.zh != reason.advice.en
    assert "备注" in audits.refuse_reason(audits.REASONS, ["format"], "备注", "zh")


def test_the_hash_of_an_event_covers_every_field_and_the_previous_hash() -> None:
    row = (events.GENESIS, "signature", 1, 1, "signature.submitted", 5, "app:k", "{}")
    hash = events.digest(*row)
    assert (
        hash == hashlib.sha256(bytes(32) + b'["signature",1,1,"signature.submitted",5,"app:k","{}"]').digest()
    )
    for place, other in enumerate((b"x" * 32, "app", 2, 2, "signature.passed", 6, "app:l", "[]")):
        changed = list(row)
        changed[place] = other
        assert events.digest(*changed) != hash  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", " a", "a" * 65, "a\n", "7d431e42dfa6a6d693ac2d04"])
def test_invalid_names_of_applications_are_rejected(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("1", 1), ("37582", 37582), ("2147483647", 2**31 - 1)],
        *[
            (text, None)
            for text in ("2147483648", "0", "-1", "+1", "01", "1.0", "1_0", "٣", "²", "\0", "9" * 40)
        ],
    ],
)
def test_a_sign_id_is_a_positive_integer_of_at_most_31_bits(text: str, number: int | None) -> None:
    assert sign_id(text) == number


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en", "en"),
        ("fr, zh;q=0.2, en;q=0.5", "en"),
        ("fr", "en"),
        ("zh;q=x", "en"),
    ],
)
def test_the_language_is_negotiated_by_accept_language(header: str, expected: str) -> None:
    assert language(header, "en") == expected


def test_x_forwarded_for_counts_only_from_a_trusted_proxy() -> None:
    trusted = networks("trusted_proxies", "10.0.0.0/8, ::1")
    assert client_address("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", trusted) == "1.2.3.4"
    assert client_address("8.8.8.8", "1.2.3.4", trusted) == "8.8.8.8"
    assert client_address("", "1.2.3.4", ()) == "1.2.3.4"
    with pytest.raises(SetupError):
        networks("trusted_proxies", "10.0.0.0/99")

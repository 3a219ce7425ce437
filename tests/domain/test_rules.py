"""Slots, text fields, reasons, settings, the ledger's hash: the pure rules."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smsign import config
from smsign.config import networks
from smsign.domain import audits, events, images
from smsign.domain.apps import check_name
from smsign.domain.signatures import check_fields
from smsign.errors import ApiError, Code, InvalidInput, SetupError, raise_if_any
from smsign.http.service import client_address
from smsign.http.wire import language, sign_id


def test_numbered_images_keep_their_slot_and_the_others_take_what_is_free() -> None:
    slots, problems = images.assign_slots(["images", "image0", "images", "otherImage"])
    assert slots == ["image1", "image0", "image2", "otherImage"]
    assert problems == []


def test_a_fifth_image_and_a_repeated_field_are_named() -> None:
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
def test_text_fields_have_bounds(fields: dict[str, str], wrong: list[str]) -> None:
    assert [problem.field for problem in check_fields(fields)] == wrong


def test_the_contracts_order_decides_the_code_and_all_problems_are_told() -> None:
    body = check_fields({"type": "9"})
    image = [images.problem("image0", "a", "b", "c", "d")]
    with pytest.raises(ApiError) as refused:
        raise_if_any([*image, *body])
    assert refused.value.code == Code.INVALID_BODY
    assert [problem.field for problem in refused.value.problems] == ["type", "image0"]


def test_a_refusal_needs_known_reasons_and_keeps_their_order() -> None:
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


def test_the_eight_reasons_speak_both_languages() -> None:
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


def test_the_hash_covers_every_field_and_the_one_before() -> None:
    row = (events.GENESIS, "signature", 1, 1, "signature.submitted", 5, "app:k", "{}")
    told = events.digest(*row)
    assert (
        told == hashlib.sha256(bytes(32) + b'["signature",1,1,"signature.submitted",5,"app:k","{}"]').digest()
    )
    for place, other in enumerate((b"x" * 32, "app", 2, 2, "signature.passed", 6, "app:l", "[]")):
        changed = list(row)
        changed[place] = other
        assert events.digest(*changed) != told  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", " a", "a" * 65, "a\n", "7d431e42dfa6a6d693ac2d04"])
def test_an_application_has_a_name_that_can_be_typed(name: str) -> None:
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
def test_an_id_is_a_positive_integer_of_32_bits(text: str, number: int | None) -> None:
    assert sign_id(text) == number


@pytest.mark.parametrize(
    ("accepted", "told"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en", "en"),
        ("fr, zh;q=0.2, en;q=0.5", "en"),
        ("fr", "en"),
        ("zh;q=x", "en"),
    ],
)
def test_the_reader_chooses_the_language(accepted: str, told: str) -> None:
    assert language(accepted, "en") == told


def test_a_forwarded_address_is_believed_only_from_a_trusted_proxy() -> None:
    trusted = networks("trusted_proxies", "10.0.0.0/8, ::1")
    assert client_address("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", trusted) == "1.2.3.4"
    assert client_address("8.8.8.8", "1.2.3.4", trusted) == "8.8.8.8"
    assert client_address("", "1.2.3.4", ()) == "1.2.3.4"
    with pytest.raises(SetupError):
        networks("trusted_proxies", "10.0.0.0/99")


def test_settings_come_from_the_file_the_environment_and_flags_in_that_order(tmp_path: Path) -> None:
    (tmp_path / "smsign.toml").write_text('port = 1001\nworkers = 3\nlanguage = "zh"\n')
    env = {"SMSIGN_DATA": str(tmp_path), "SMSIGN_PORT": "1002", "SMSIGN_WORKERS": "4"}
    settings = config.load({"port": 1003, "data": None}, env)
    assert (settings.port, settings.workers, settings.language) == (1003, 4, "zh")


def test_a_secret_setting_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32 + "\n")
    assert config.load({}, {"SMSIGN_SECRET_KEY_FILE": str(tmp_path / "key")}).secret_key == "ab" * 32


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff\xfe hunter2"])
def test_a_secrets_file_that_holds_none_is_named_and_not_quoted(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    for name in ("SMSIGN_DATABASE_FILE", "SMSIGN_SECRET_KEY_FILE"):
        with pytest.raises(SetupError, match=f"^{name}: .*file is (empty|not UTF-8 text)") as told:
            config.load({}, {name: str(tmp_path / "file")})
        assert "hunter2" not in str(told.value)


def test_a_file_of_settings_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "smsign.toml").write_text("port = 1001\n", "utf-8-sig")
    assert config.load({"data": str(tmp_path)}, {}).port == 1001


@pytest.mark.parametrize(
    "env",
    [
        {"SMSIGN_PORT": "http"},
        {"SMSIGN_PORT": "-1"},
        {"SMSIGN_LANGUAGE": "fr"},
        {"SMSIGN_CONTENT_MIN": "9"},
        {"SMSIGN_TLS_CERT": "cert.pem"},
        {"SMSIGN_CONFIG": "/none/such.toml"},
        {"SMSIGN_SECRET_KEY_FILE": "/none/such"},
        {"SMSIGN_OIDC_ISSUER": "people.example", "SMSIGN_OIDC_CLIENT_ID": "smsign"},
        {"SMSIGN_OIDC_ISSUER": "ftp://people.example", "SMSIGN_OIDC_CLIENT_ID": "smsign"},
        {"SMSIGN_OIDC_ISSUER": "https://", "SMSIGN_OIDC_CLIENT_ID": "smsign"},
    ],
)
def test_a_wrong_setting_is_named(env: dict[str, str]) -> None:
    with pytest.raises(SetupError) as told:
        config.load({}, env)
    assert next(iter(env)).removeprefix("SMSIGN_").removesuffix("_FILE").lower() in str(told.value).lower()


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "smsign.toml").write_text("prot = 1")
    with pytest.raises(SetupError, match="prot"):
        config.load({"data": str(tmp_path)}, {})

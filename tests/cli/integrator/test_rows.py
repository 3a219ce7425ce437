"""An import without a server: CSV files, idempotency keys, the journal, other services."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsign.cli.integrator import rows as table
from smsign.cli.integrator.decoding import decode, is_certain
from smsign.cli.integrator.headings import COLUMNS, column
from smsign.errors import SetupError
from tests.cli.conftest import Shell, write_csv
from tests.client.conftest import FakeService, response
from tests.running import Key


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_files_of_spreadsheets_are_decoded(tmp_path: Path, encoding: str) -> None:
    file = write_csv(tmp_path / "rows.csv", 'sign,"remark"', '极光推送,"两行\r\n备注"', encoding=encoding)
    [read] = table.read(file, ignore_unknown=False)
    assert read.certain
    assert read.lines == [(3, {"sign": "极光推送", "remark": "两行\r\n备注"})]


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "big5"])
def test_an_encoding_that_is_not_utf_8_is_given_or_confirmed(tmp_path: Path, encoding: str) -> None:
    file = write_csv(tmp_path / "rows.csv", "sign", "中文", encoding="big5" if encoding == "big5" else "gbk")
    found = table.read(file, ignore_unknown=True, encoding=encoding)
    assert [(each.certain, each.lines[0][1]["sign"]) for each in found if "sign" in each.lines[0][1]] == [
        (True, "中文")
    ]
    guessed = table.read(file, ignore_unknown=True)
    assert not any(each.certain for each in guessed)
    assert "中文" in [each.lines[0][1]["sign"] for each in guessed]


@pytest.mark.process
def test_a_confirmation_without_a_terminal_sends_nothing(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.env |= {"SMSIGN_URL": "http://127.0.0.1:9", "SMSIGN_APP_KEY": "a", "SMSIGN_MASTER_SECRET": "b"}
    write_csv(tmp_path / "rows.csv", "sign", "云家银行", encoding="gbk")
    done = shell.run("import", "rows.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--encoding gbk: 云家银行" in done.stderr
    assert not (tmp_path / "rows.csv.journal").exists()
    assert "无法确定编码" in _with(shell, LANG="zh_CN.UTF-8").run("import", "rows.csv").stderr
    sent = shell.run("import", "rows.csv", "--encoding", "gbk")
    assert sent.returncode == 1, sent.stderr  # no connection


@given(
    good=st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1),
    bad=st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1),
)
def test_a_file_of_two_encodings_is_never_decoded(good: str, bad: str) -> None:
    other = bad.encode("gbk")
    with suppress(UnicodeDecodeError):
        other.decode()
        return  # valid as UTF-8 by chance
    with pytest.raises(SetupError, match=r"line [34]"):
        decode(f"sign\n{good}\n".encode() + other + b"\n")


@given(
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1),
    st.sampled_from(["gbk", "big5"]),
)
def test_text_is_read_right_or_not_certain(text: str, encoding: str) -> None:
    try:
        data = f"sign\n{text}\n".encode(encoding)
    except UnicodeEncodeError:
        return
    try:
        texts = decode(data)
    except SetupError:
        return
    assert not is_certain(texts) or data.decode() == next(iter(texts.values()))
    assert decode(f"sign\n{text}\n".encode()) == {"utf-8": f"sign\n{text}\n"}


@given(
    st.sampled_from(COLUMNS),
    st.sampled_from([str.upper, str.lower, str.title, str]),
    st.sampled_from(["", " ", "\u3000", "\ufeff", "\u00a0"]),
)
def test_headings_are_found_in_any_case_and_with_spaces(
    name: str, change: Callable[[str], str], space: str
) -> None:
    assert column(f"{space}{change(name)}{space}") == name


@pytest.mark.parametrize(
    "text",
    [
        "sign,remark,,\r\n极光,官网,,\r\n,,,\r\n",
        "\ufeff\ufeffsign,remark\n\n极光,官网\n",
        "sep=;\r\n签名;备注\r\n极光;官网\r\n",
        "\ufeffSEP=;\n\ufeffSign ; REMARK\n极光;官网\n",
        "签名（必填）\t备注\n极光\t官网\n",
        "签名内容;申请说明\n极光;官网;;\n",
        ",,\n簽名,備註,\n极光,官网,\n",
        "sign_id,sign,status,remark\n3,极光,1,官网\n",
    ],
)
def test_tables_of_spreadsheets_are_understood(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(text.encode())
    [read] = table.read(file, ignore_unknown=False)
    [(_, cells)] = read.lines
    assert (cells["sign"], cells["remark"]) == ("极光", "官网")
    assert read.exported == ("sign_id" in text)


def test_a_delimiter_can_be_given(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "rows.csv", "sign|remark", "极光|a;b,c")
    [read] = table.read(file, ignore_unknown=False, delimiter="|")
    assert read.lines == [(2, {"sign": "极光", "remark": "a;b,c"})]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no column sign"),
        ("sign\n".encode("utf-16-le"), "UTF-16 without a BOM"),
        (b"sign\n\x81\x20\n", "line 2: neither UTF-8 nor GBK"),
        ("sign\n测试\n".encode() + "云家".encode("gbk"), "line 3: not UTF-8, but the text before is"),
        (b"\xef\xbb\xbfsign\n\xd4\xc6\n", "line 2: not utf-8"),
        (b"PK\x03\x04", "a workbook"),
        (b"sign|image0\n", "the delimiter is '|'"),
        (b"sign,\na,b\n", "line 2: more cells"),
        (b"sign,,remark\na,b,c\n", "line 2: a cell without heading"),
        (b"sign,iamge0\n", "unknown columns iamge0; known columns: sign, type"),
        (b"sign,sign\n", "duplicate column sign"),
        (b"sign\na,b\n", "line 2: more cells"),
        (b'sign\n"a\n', "line"),
    ],
)
def test_an_invalid_csv_file_is_rejected_with_its_error(tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(data)
    with pytest.raises(SetupError, match=why):
        table.read(file, ignore_unknown=False)
    if b"iamge0" in data:
        assert table.read(file, ignore_unknown=True)[0].lines == []


def test_an_idempotency_key_depends_on_contents_and_application(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "b.png").write_bytes(b"2")
    (tmp_path / "c.png").write_bytes(b"1")

    def keys(*lines: str, to: str = "app@here") -> list[str]:
        file = write_csv(tmp_path / "rows.csv", "sign,remark,image0", *lines)
        [read] = table.read(file, ignore_unknown=False)
        return [row.key for row in table.rows(read, tmp_path, to=to)]

    first = keys("极光,x,a.png")
    assert first == keys("极光, x ,c.png") == keys("别的,,", "极光,x,a.png")[1:]
    several = keys("极光,x,a.png", "极光,y,a.png", "极光,x,b.png", "极光,x,", "极光,x,a.png")
    assert len(set(several)) == 5
    assert several[0] == first[0]
    assert keys("极光,x,a.png", to="other@here") != first
    assert all(len(key) <= 255 and key.isascii() for key in several)


def test_a_file_that_is_not_a_journal_is_not_modified(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.env |= {"SMSIGN_URL": "http://127.0.0.1:9", "SMSIGN_APP_KEY": "a", "SMSIGN_MASTER_SECRET": "b"}
    write_csv(tmp_path / "rows.csv", "sign", "第一")
    (tmp_path / "rows.csv.journal").write_text("my diary\n")
    done = shell.run("import", "rows.csv")
    assert (done.returncode, "line 1: not the journal" in done.stderr) == (2, True)
    assert (tmp_path / "rows.csv.journal").read_text() == "my diary\n"


@pytest.mark.process
def test_without_idempotency_keys_an_interrupted_row_is_reported_and_not_retried(tmp_path: Path) -> None:
    """The vendor's own service: four calls, no Idempotency-Key. The first response is lost."""
    waiting = response(403, '{"error": {"code": 50103, "message": "other signatures in the audit"}}')
    unknown = response(404, '{"error": {"code": 50016, "message": "api not found"}}')
    creates = 0

    def vendor(_: int, request: bytes) -> bytes | None:
        nonlocal creates
        if not request.startswith(b"POST /v1/sign HTTP"):
            return unknown
        creates += 1
        return waiting if creates > 1 else None

    service = FakeService(vendor)
    shell = Shell(tmp_path, service.url, Key("a" * 24, "b" * 24))
    write_csv(tmp_path / "rows.csv", "sign", "第一")
    for _ in range(2):
        assert shell.run("import", "rows.csv").returncode == 1
        report = (tmp_path / "rows.csv.report.csv").read_text("utf-8-sig")
        assert "may have been submitted already" in report
        assert creates == 2
    service.close()


def _with(shell: Shell, **env: str) -> Shell:
    other = Shell(shell.folder)
    other.env = shell.env | env
    return other

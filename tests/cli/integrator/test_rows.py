"""An import without a server: CSV files, idempotency keys, the journal, other services."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsign.cli.integrator import rows as table
from smsign.errors import SetupError
from tests.cli.conftest import Shell, write_csv
from tests.client.conftest import FakeService, response
from tests.running import Key


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("gbk", "GBK"), ("gb18030", "GBK")]
)
def test_csv_files_of_spreadsheets_are_decoded(tmp_path: Path, encoding: str, name: str) -> None:
    file = write_csv(tmp_path / "rows.csv", 'sign,"remark"', '极光推送,"两行\r\n备注"', encoding=encoding)
    read = table.read(file, ignore_unknown=False)
    assert read.encoding == name
    assert read.lines == [(3, {"sign": "极光推送", "remark": "两行\r\n备注"})]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no column sign"),
        ("sign\n".encode("utf-16"), "UTF-16"),
        (b"sign\n\x81\x20\n", "line 2: neither UTF-8 nor GBK"),
        (b"sign;image0\n", "the delimiter is ';'"),
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
        assert table.read(file, ignore_unknown=True).lines == []


def test_an_idempotency_key_depends_on_contents_and_application(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "b.png").write_bytes(b"2")
    (tmp_path / "c.png").write_bytes(b"1")

    def keys(*lines: str, to: str = "app@here") -> list[str]:
        file = write_csv(tmp_path / "rows.csv", "sign,remark,image0", *lines)
        return [row.key for row in table.rows(table.read(file, ignore_unknown=False), tmp_path, to=to)]

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

"""URLs of the settings: every function that reads one finds the same file and the same options."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsign.storage.open import open_database, open_target, sqlite_path


@pytest.mark.parametrize("options", ["", "?durable=no"])
async def test_a_url_with_options_names_the_same_file_everywhere(options: str, tmp_path: Path) -> None:
    file = tmp_path / "smsign.db"
    url = f"sqlite:{file}{options}"
    assert sqlite_path(url) == file
    database = await open_database(url, pool_size=1)
    assert file.exists()
    await database.close()
    file.unlink()
    bulk = await open_target(url)
    await bulk.close()
    assert [path.name for path in tmp_path.iterdir() if "smsign.db" not in path.name] == []
    assert file.exists()

"""Files that settings are read from: smsign.toml, and a file for a secret. Raises: SetupError."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smsign.errors import SetupError


def read_file(flags: Mapping[str, Any], env: Mapping[str, str], folder: str) -> dict[str, Any]:
    """Return the values of smsign.toml in the data folder, by default `folder`, or of SMSIGN_CONFIG."""
    named = env.get("SMSIGN_CONFIG")
    folder = flags.get("data") or env.get("SMSIGN_DATA") or folder
    path = Path(named) if named else Path(str(folder)) / "smsign.toml"
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # editors on Windows write a byte order mark
    except FileNotFoundError:
        if named:
            raise wrong("SMSIGN_CONFIG", f"{path} does not exist", f"{path} 不存在") from None
        return {}
    except (OSError, ValueError) as error:
        raise wrong(str(path), str(error)) from error


def read_secret(variable: str, path: str) -> str:
    """Return the secret in the file that `variable` names."""
    try:
        secret = Path(path).read_text("utf-8-sig").strip()
    except OSError as error:
        raise wrong(variable, f"{path}: {error.strerror}") from error
    except ValueError:  # its message may quote the secret
        raise wrong(variable, f"{path} is not UTF-8 text", f"{path} 不是 UTF-8 文本") from None
    if not secret:
        raise wrong(
            variable,
            f"{path} is empty; write the secret to it, or unset the variable",
            f"{path} 是空的；请写入密钥，或取消该变量",
        )
    return secret


def wrong(name: str, en: str, zh: str = "") -> SetupError:
    """Return the error of a setting, a variable or a file; a system's message has no Chinese."""
    return SetupError(f"{name}: {en}", f"{name}：{zh or en}")

"""The registry of callback formats; each has its own file."""

from __future__ import annotations

from smsign.domain.callbacks import CallbackFormat
from smsign.domain.formats.standard import Standard
from smsign.domain.formats.vendor import Vendor

FORMATS: dict[str, CallbackFormat] = {format.name: format for format in (Standard(), Vendor())}

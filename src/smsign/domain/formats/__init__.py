"""The forms of a callback: a file each, and one line here."""

from __future__ import annotations

from smsign.domain.callbacks import CallbackFormat
from smsign.domain.formats.standard import Standard
from smsign.domain.formats.vendor import Vendor

FORMATS: dict[str, CallbackFormat] = {form.name: form for form in (Standard(), Vendor())}

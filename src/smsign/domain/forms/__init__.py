"""The forms of a callback: a file each, and one line here."""

from __future__ import annotations

from smsign.domain.callbacks import Form
from smsign.domain.forms.standard import Standard
from smsign.domain.forms.vendor import Vendor

FORMS: dict[str, Form] = {form.name: form for form in (Standard(), Vendor())}

"""One run of an import: submit each row and wait for its decision, from any state of an earlier run."""

from __future__ import annotations

import time
from typing import Any, cast

import click

from smsign.cli.integrator.journal import (
    DECIDED,
    DELETED,
    FAILED,
    PASSED,
    REFUSED,
    SUBMITTED,
    SUBMITTING,
    Entry,
    Journal,
)
from smsign.cli.integrator.remote import headline
from smsign.cli.integrator.rows import Row
from smsign.cli.language import say, word
from smsign.client import (
    ApiNotFound,
    Client,
    DecisionTimeout,
    Detail,
    Fields,
    ImageFile,
    InvalidBody,
    InvalidImage,
    InvalidSignature,
    InvalidSignId,
    KeyReused,
    OtherInAudit,
    Sign,
    TooManySubmissions,
)
from smsign.errors import SetupError

ROW_ERRORS = (InvalidBody, InvalidImage, InvalidSignature, KeyReused)
"""Errors of a single row; any other error ends the import."""

KEYS_VALID_S = 6.5 * 86_400
"""How long an Idempotency-Key can be reused safely: the service stores it for seven days."""

PAUSE_S, PAUSE_MAX_S = 0.2, 15.0


class ImportStopped(Exception):
    """No more rows can be submitted in this run; the next run resumes."""


class _UnknownOutcome(Exception):
    """It is unknown whether the row was submitted."""


class Importer:
    """Processes rows, and counts their outcomes."""

    def __init__(self, client: Client, journal: Journal, *, wait: bool, timeout_s: float | None) -> None:
        self.failed: list[Entry] = []
        self.passed = self.waiting = self.skipped = 0
        self.skip_existing = False
        self._client = client
        self._journal = journal
        self._wait = wait
        self._timeout_s = float("inf") if timeout_s is None else timeout_s
        self._has_keys: bool | None = None

    def entry(self, row: Row) -> Entry | None:
        """Return the state of a row after earlier runs."""
        return self._journal.entries.get(row.key)

    def process(self, row: Row) -> None:
        """Submit a row, wait for its decision, and count the outcome.

        Raises: ImportStopped; ClientError for an error that is not of the row.
        """
        known = self.entry(row)
        if self.skip_existing and (known is None or known.state == FAILED) and self._exists(row.sign):
            self.skipped += 1
            return
        try:
            entry = self._process(row, known)
        except (DecisionTimeout, OtherInAudit, TooManySubmissions) as error:
            raise ImportStopped(headline(error)) from error
        if entry.state == PASSED:
            self.passed += 1
        elif entry.state == SUBMITTED:
            self.waiting += 1
        else:
            self.failed.append(entry)

    def _process(self, row: Row, entry: Entry | None) -> Entry:
        if entry is not None and entry.state in DECIDED:
            return entry
        if entry is None or entry.state != SUBMITTED:
            if row.errors:
                return self._record(row, FAILED, message=word("not submitted"), details=row.errors)
            if entry is not None and entry.state == SUBMITTING and not self._may_repeat(entry):
                return self._unknown_outcome(row)
            try:
                entry = self._record(row, SUBMITTED, sign_id=self._submit(row))
            except _UnknownOutcome:
                return self._unknown_outcome(row)
            except ROW_ERRORS as error:
                code = str(error.code)
                return self._record(row, FAILED, code=code, message=error.message, details=error.details)
        try:
            sign = self._client.get_sign(entry.sign_id)
            if sign.in_audit and self._wait:
                sign = self._client.wait_until_decided(entry.sign_id, self._timeout_s)
        except InvalidSignId:
            return self._record(
                row, DELETED, sign_id=entry.sign_id, message=word("deleted before a decision")
            )
        return entry if sign.in_audit else self._decided(row, sign)

    def _exists(self, sign: str) -> bool:
        """Return whether the application has a content in the audit or passed.

        Raises: SetupError if the service cannot list signatures.
        """
        try:
            return bool(sign) and any(
                self._client.list_signs(sign=sign, status=status, limit=1).items for status in (0, 1)
            )
        except ApiNotFound:
            raise SetupError(
                "--skip-existing needs a service that lists signatures; this one does not",
                "--skip-existing 需要支持列出签名的服务；该服务不支持",
            ) from None

    def _submit(self, row: Row) -> int:
        """Submit a row, once no other signature is in the audit; return its sign_id."""
        deadline = time.monotonic() + self._timeout_s
        pause_s = PAUSE_S
        while True:
            self._record(row, SUBMITTING)
            try:
                return self._client.create_sign(
                    row.sign,
                    images=cast(dict[str, ImageFile], row.images),
                    idempotency_key=row.key,
                    **cast(Fields, row.fields),
                )
            except (OtherInAudit, TooManySubmissions) as error:
                if error.may_have_succeeded and not self._supports_keys():
                    raise _UnknownOutcome from error
                if not error.may_have_succeeded:
                    self._record(row, FAILED, code=str(error.code), message=word("not submitted yet"))
                if isinstance(error, TooManySubmissions) or not self._wait or time.monotonic() > deadline:
                    raise
            if pause_s == PAUSE_S:  # once for each row
                line = say(f"line {row.line}", f"第 {row.line} 行")
                click.echo(
                    f"{line}{say(': ', '：')}{word('waiting for the signature in the audit')}", err=True
                )
            self._wait_for_other(deadline - time.monotonic(), pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    def _wait_for_other(self, timeout_s: float, pause_s: float) -> None:
        """Wait for the decision on the other signature in the audit; sleep if the service cannot list it."""
        try:
            waiting = self._client.list_signs(status=0, limit=1).items
            if waiting:
                self._client.wait_until_decided(waiting[0].sign_id, timeout_s)
        except ApiNotFound:
            time.sleep(pause_s)
        except InvalidSignId:
            return  # deleted

    def _decided(self, row: Row, sign: Sign) -> Entry:
        if sign.passed:
            return self._record(row, PASSED, sign_id=sign.sign_id)
        why = sign.refuse_reason or word("refused by an auditor")
        codes, details = self._reasons(sign)
        return self._record(row, REFUSED, sign_id=sign.sign_id, code=codes, message=why, details=details)

    def _reasons(self, sign: Sign) -> tuple[str, tuple[Detail, ...]]:
        """Return the codes and the details of an auditor's reasons, if the service has them."""
        try:
            decision = self._client.describe_sign(sign.sign_id).versions[-1].decision
        except (ApiNotFound, IndexError):
            return "", ()
        reasons = decision.reasons if decision else ()
        codes = " ".join(each.code for each in reasons)
        return codes, tuple(Detail(each.field, each.title, each.advice) for each in reasons)

    def _may_repeat(self, entry: Entry) -> bool:
        """Return whether submitting a row again is safe thanks to its idempotency key."""
        return time.time() - entry.at < KEYS_VALID_S and self._supports_keys()

    def _supports_keys(self) -> bool:
        """Return whether the service supports idempotency keys: smsign does, the vendor's own does not."""
        if self._has_keys is None:
            try:
                self._client.get_app()
                self._has_keys = True
            except ApiNotFound:
                self._has_keys = False
        return self._has_keys

    def _unknown_outcome(self, row: Row) -> Entry:
        file = self._journal.file.name
        hint = say(
            f"check the service; if it is not there, delete the row's lines from {file}",
            f"请在服务中核对；若没有该签名，请从 {file} 中删除该行的记录",
        )
        detail = Detail("sign", word("may have been submitted already"), hint)
        return _entry(row, FAILED, message=word("interrupted in an earlier run"), details=(detail,))

    def _record(self, row: Row, state: str, **fields: Any) -> Entry:
        return self._journal.add(_entry(row, state, **fields))


def _entry(row: Row, state: str, **fields: Any) -> Entry:
    return Entry(key=row.key, state=state, line=row.line, sign=row.sign, **fields)

"""One run of an import: how a row is brought from the file to a decision, whatever state an earlier run
left it in.
"""

from __future__ import annotations

import time
from typing import cast

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
from smsign.cli.integrator.rows import Row
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

OF_THE_ROW = (InvalidBody, InvalidImage, InvalidSignature, KeyReused)
"""Refusals that another row would not meet with; any other one ends the import."""

KEYS_KEPT_S = 6.5 * 86_400
"""For how long a service surely still knows an Idempotency-Key: it keeps them for seven days."""

PAUSE_S, PAUSE_MAX_S = 0.2, 15.0


class Stopped(Exception):
    """Nothing more can be submitted in this run; another run can go on."""


class _Unsure(Exception):
    """Whether the row was submitted cannot be known from here."""


class Import:
    """What has become of the rows so far, and the way to bring each one further."""

    def __init__(self, client: Client, journal: Journal, *, wait: bool, timeout_s: float | None) -> None:
        self.failed: list[Entry] = []
        self.passed = self.waiting = 0
        self._client = client
        self._journal = journal
        self._wait = wait
        self._timeout_s = float("inf") if timeout_s is None else timeout_s
        self._has_keys: bool | None = None

    def entry(self, row: Row) -> Entry | None:
        """Return what became of a row in earlier runs."""
        return self._journal.entries.get(row.key)

    def bring(self, row: Row) -> None:
        """Bring a row as far as it goes, and count what became of it.

        Raises: Stopped; ClientError for what is no fault of the row.
        """
        try:
            entry = self._bring(row, self.entry(row))
        except (DecisionTimeout, OtherInAudit, TooManySubmissions) as error:
            raise Stopped(str(error)) from error
        if entry.state == PASSED:
            self.passed += 1
        elif entry.state == SUBMITTED:
            self.waiting += 1
        else:
            self.failed.append(entry)

    def _bring(self, row: Row, entry: Entry | None) -> Entry:
        if entry is not None and entry.state in DECIDED:
            return entry
        if entry is None or entry.state != SUBMITTED:
            if row.wrong:
                return self._note(row, FAILED, message="not submitted", details=row.wrong)
            if entry is not None and entry.state == SUBMITTING and not self._may_repeat(entry):
                return self._unsure(row)
            try:
                entry = self._note(row, SUBMITTED, sign_id=self._submit(row))
            except _Unsure:
                return self._unsure(row)
            except OF_THE_ROW as error:
                code = str(error.code)
                return self._note(row, FAILED, code=code, message=error.message, details=error.details)
        try:
            sign = self._client.get_sign(entry.sign_id)
            if sign.in_audit and self._wait:
                sign = self._client.wait_until_decided(entry.sign_id, self._timeout_s)
        except InvalidSignId:
            return self._note(row, DELETED, sign_id=entry.sign_id, message="deleted before a decision")
        return entry if sign.in_audit else self._decided(row, sign)

    def _submit(self, row: Row) -> int:
        """Submit a row, as soon as nothing else is in the audit; return its sign_id."""
        deadline = time.monotonic() + self._timeout_s
        pause_s = PAUSE_S
        while True:
            self._note(row, SUBMITTING)
            try:
                return self._client.create_sign(
                    row.sign,
                    images=cast(dict[str, ImageFile], row.images),
                    idempotency_key=row.key,
                    **cast(Fields, row.fields),
                )
            except (OtherInAudit, TooManySubmissions) as error:
                if error.may_have_succeeded and not self._knows_keys():
                    raise _Unsure from error
                if not error.may_have_succeeded:
                    self._note(row, FAILED, code=str(error.code), message="not submitted yet")
                if isinstance(error, TooManySubmissions) or not self._wait or time.monotonic() > deadline:
                    raise
            self._wait_for_other(deadline - time.monotonic(), pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    def _wait_for_other(self, timeout_s: float, pause_s: float) -> None:
        """Wait for the decision on what is in the audit, where the service tells which that is."""
        try:
            waiting = self._client.list_signs(status=0, limit=1).items
            if waiting:
                self._client.wait_until_decided(waiting[0].sign_id, timeout_s)
        except ApiNotFound:
            time.sleep(pause_s)
        except InvalidSignId:
            return  # deleted: the way is free

    def _decided(self, row: Row, sign: Sign) -> Entry:
        if sign.passed:
            return self._note(row, PASSED, sign_id=sign.sign_id)
        why = sign.refuse_reason or "refused by an auditor"
        codes, details = self._reasons(sign)
        return self._note(row, REFUSED, sign_id=sign.sign_id, code=codes, message=why, details=details)

    def _reasons(self, sign: Sign) -> tuple[str, tuple[Detail, ...]]:
        """Return the codes of an auditor's reasons, and each by its field, where the service tells."""
        try:
            decision = self._client.describe_sign(sign.sign_id).versions[-1].decision
        except (ApiNotFound, IndexError):
            return "", ()
        reasons = decision.reasons if decision else ()
        codes = " ".join(each.code for each in reasons)
        return codes, tuple(Detail(each.field, each.title, each.advice) for each in reasons)

    def _may_repeat(self, entry: Entry) -> bool:
        """Tell whether what may have been submitted can be submitted again and be one all the same."""
        return time.time() - entry.at < KEYS_KEPT_S and self._knows_keys()

    def _knows_keys(self) -> bool:
        """Tell whether the service is smsign, which remembers Idempotency-Keys; the vendor's own does not."""
        if self._has_keys is None:
            try:
                self._client.get_app()
                self._has_keys = True
            except ApiNotFound:
                self._has_keys = False
        return self._has_keys

    def _unsure(self, row: Row) -> Entry:
        file = self._journal.file.name
        hint = f"look at the service; if it is not there, remove the row's lines from {file}"
        unsure = Detail("sign", "may have been submitted already", hint)
        return _entry(row, FAILED, message="an earlier run was cut off here", details=(unsure,))

    def _note(
        self,
        row: Row,
        state: str,
        *,
        sign_id: int = 0,
        code: str = "",
        message: str = "",
        details: tuple[Detail, ...] = (),
    ) -> Entry:
        return self._journal.add(
            _entry(row, state, sign_id=sign_id, code=code, message=message, details=details)
        )


def _entry(
    row: Row,
    state: str,
    *,
    sign_id: int = 0,
    code: str = "",
    message: str = "",
    details: tuple[Detail, ...] = (),
) -> Entry:
    return Entry(
        key=row.key,
        state=state,
        line=row.line,
        sign=row.sign,
        sign_id=sign_id,
        code=code,
        message=message,
        details=details,
    )

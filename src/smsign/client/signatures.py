"""The calls about signatures: the contract's four, and what smsign adds to them."""

from __future__ import annotations

import random
import re
import time
import uuid
from datetime import datetime
from typing import Unpack
from urllib.parse import quote

import msgspec

from smsign.client.calls import LIST_MAX, Calls, encode, given
from smsign.client.errors import (
    BadAnswer,
    ClientError,
    InvalidSignId,
    NoConnection,
    NotDecided,
    SmsignApiError,
)
from smsign.client.form import Fields, ImageFiles, SubmissionForm
from smsign.client.method import call, items
from smsign.client.results import App, Check, Page, Sign, SignDetail
from smsign.client.steps import Call, Items, Request, Sleep, decode

POLL_S = 0.05
POLL_MAX_S = 15.0

_KEY = re.compile(r"[!-~]{1,255}")


class _SignId(msgspec.Struct, frozen=True):
    sign_id: int


class _InUse(msgspec.Struct, frozen=True):
    sign_id: int | None


class _Signs(msgspec.Struct, frozen=True):
    signs: tuple[Sign, ...]
    next: str | None = None


class Signatures(Calls):
    """Calls as steps; `Client` and `AsyncClient` are this with a way to carry them out."""

    # The contract's four: the vendor's own service has these.

    @call
    def create_sign(
        self, sign: str, *, images: ImageFiles = (), idempotency_key: str = "", **fields: Unpack[Fields]
    ) -> Call[int]:
        """Submit a new signature; return its sign_id.

        Give an `idempotency_key` to be sure of one signature across crashes of your own: the same key and
        submission is answered with the same sign_id for seven days. Without one, the retries of this call
        share one.

        Raises: OtherInAudit, InvalidSignature, InvalidImage, InvalidBody, KeyReused, TooMany; ValueError and
        OSError for what cannot be sent.
        """
        return (yield from self._submit("/v1/sign", "POST", sign, images, fields, idempotency_key))

    @call
    def modify_sign(
        self,
        sign_id: int,
        sign: str,
        *,
        images: ImageFiles = (),
        idempotency_key: str = "",
        **fields: Unpack[Fields],
    ) -> Call[int]:
        """Submit a refused signature again, whole; return its sign_id.

        Raises: InvalidSignId, and as `create_sign`.
        """
        # POST, as every published client; the contract's text says PUT, its example POST.
        return (yield from self._submit(f"/v1/sign/{sign_id}", "POST", sign, images, fields, idempotency_key))

    @call
    def get_sign(self, sign_id: int) -> Call[Sign]:
        """Ask about a signature.

        Raises: InvalidSignId.
        """
        return (yield from self._query(sign_id))

    @call
    def delete_sign(self, sign_id: int) -> Call[None]:
        """Delete a signature. One in the audit is withdrawn.

        Raises: InvalidSignId, InUse.
        """
        try:
            yield from self._perform(Request(method="DELETE", path=f"/v1/sign/{sign_id}"))
        except InvalidSignId as error:
            if not error.maybe_done:  # else an earlier attempt, unanswered, has deleted it
                raise

    # What smsign adds.

    @call
    def wait_until_decided(self, sign_id: int, timeout_s: float = 3600.0) -> Call[Sign]:
        """Ask about a signature, ever less often, until it is no longer in the audit; return it.

        Works with any service of the contract. A service that is away for a while is waited for.

        Raises: NotDecided after `timeout_s` seconds; InvalidSignId when it is deleted meanwhile.
        """
        deadline = time.monotonic() + timeout_s
        pause_s = POLL_S
        seen: Sign | None = None
        while True:
            failed: ClientError | None = None
            try:
                seen = yield from self._query(sign_id)
            except NoConnection as error:
                failed = error
            except SmsignApiError as error:
                if error.status < 500:
                    raise
                failed = error
            if failed is None and seen is not None and not seen.in_audit:
                return seen
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                if seen is None and failed is not None:
                    raise failed
                raise NotDecided(seen or Sign(sign_id=sign_id, sign="", status=0), timeout_s)
            yield Sleep(min(left_s, pause_s * random.uniform(0.8, 1.2)))  # noqa: S311
            pause_s = min(pause_s * 1.6, POLL_MAX_S)

    @call
    def check_sign(
        self, sign: str, *, sign_id: int | None = None, images: ImageFiles = (), **fields: Unpack[Fields]
    ) -> Call[Check]:
        """Say everything that a submission would be refused for; nothing is stored.

        With `sign_id`: as `modify_sign` of that one.
        """
        request = Request(
            method="POST",
            path="/v1/signs/check",
            query=given(sign_id=sign_id),
            body=SubmissionForm({"sign": sign, **fields}, images),
        )
        return (yield from self._get(request, Check))

    @call
    def list_signs(
        self,
        *,
        status: int | None = None,
        use_status: int | None = None,
        sign: str | None = None,
        prefix: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Call[Page[Sign]]:
        """Return one page of the application's signatures, newest first.

        `since` is inclusive, `until` exclusive, both of the time of creation; `limit` is 1 to 100.
        """
        query = given(
            status=status,
            use_status=use_status,
            sign=sign,
            prefix=prefix,
            since=since,
            until=until,
            limit=limit,
            cursor=cursor,
        )
        return (yield from self._list(query))

    @items
    def iter_signs(
        self,
        *,
        status: int | None = None,
        use_status: int | None = None,
        sign: str | None = None,
        prefix: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Items[Sign]:
        """Iterate over the application's signatures, newest first, page by page."""
        query = given(
            status=status, use_status=use_status, sign=sign, prefix=prefix, since=since, until=until
        ) | {"limit": str(LIST_MAX)}
        while True:
            page = yield from self._list(query)
            yield list(page.items)
            if page.next is None:
                return
            query["cursor"] = page.next

    @call
    def describe_sign(self, sign_id: int) -> Call[SignDetail]:
        """Return a signature with its versions, their decisions, and its timeline.

        Raises: InvalidSignId.
        """
        return (yield from self._get(Request(method="GET", path=f"/v1/signs/{sign_id}"), SignDetail))

    @call
    def download_image(self, sign_id: int, version: int, slot: str) -> Call[bytes]:
        """Return an image as it was submitted.

        Raises: InvalidSignId.
        """
        path = f"/v1/signs/{sign_id}/versions/{version}/images/{quote(slot, safe='')}"
        answer = yield from self._send(Request(method="GET", path=path))
        if not answer.headers.get("content-type", "").startswith("image/"):
            raise BadAnswer("the answer is no image; is the base URL right?")
        return answer.body

    @call
    def withdraw_sign(self, sign_id: int) -> Call[None]:
        """Take back the signature that is in the audit.

        Raises: InvalidSignId where it is not in the audit.
        """
        yield from self._perform(
            Request(method="POST", path=f"/v1/signs/{sign_id}/withdraw", repeatable=False)
        )

    @call
    def get_in_use(self) -> Call[Sign | None]:
        """Return the signature in use, or None."""
        answer = yield from self._send(Request(method="GET", path="/v1/signs/in-use"))
        return decode(answer, Sign) if decode(answer, _InUse).sign_id is not None else None

    @call
    def set_in_use(self, sign_id: int) -> Call[None]:
        """Put a signature that passed in use, in place of the one that was.

        Raises: InvalidSignId.
        """
        yield from self._perform(Request(method="PUT", path="/v1/signs/in-use", body=encode(sign_id=sign_id)))

    @call
    def clear_in_use(self) -> Call[None]:
        """Use no signature."""
        yield from self._perform(Request(method="DELETE", path="/v1/signs/in-use"))

    @call
    def get_app(self) -> Call[App]:
        """Return the application itself, with its limits."""
        return (yield from self._get(Request(method="GET", path="/v1/app"), App))

    # How they are made.

    def _query(self, sign_id: int) -> Call[Sign]:
        return (yield from self._get(Request(method="GET", path=f"/v1/sign/{sign_id}"), Sign))

    def _list(self, query: dict[str, str]) -> Call[Page[Sign]]:
        page = yield from self._get(Request(method="GET", path="/v1/signs", query=query), _Signs)
        return Page(items=page.signs, next=page.next)

    def _submit(
        self, path: str, method: str, sign: str, images: ImageFiles, fields: Fields, key: str
    ) -> Call[int]:
        if key and not _KEY.fullmatch(key):
            raise ValueError("idempotency_key: not 1 to 255 visible ASCII characters; a UUID will do")
        request = Request(
            method=method,
            path=path,
            headers={"idempotency-key": key or uuid.uuid4().hex},
            body=SubmissionForm({"sign": sign, **fields}, images),
        )
        return (yield from self._get(request, _SignId)).sign_id

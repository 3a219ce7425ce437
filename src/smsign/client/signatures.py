"""API calls for signatures: the contract's four, and those that smsign adds."""

from __future__ import annotations

import random
import re
import time
import uuid
from datetime import datetime
from typing import Optional
from urllib.parse import quote

import msgspec
from typing_extensions import Unpack

from smsign.client.calls import LIST_MAX, Calls, encode, query_of
from smsign.client.decorators import call, paginated
from smsign.client.errors import (
    ApiConnectionError,
    ClientError,
    DecisionTimeout,
    InvalidResponse,
    InvalidSignId,
    SmsignApiError,
)
from smsign.client.models import App, Check, Page, Sign, SignDetail
from smsign.client.multipart import Fields, ImageFiles, SubmissionForm
from smsign.client.retry import Call, Pages, Request, Sleep, decode

POLL_S = 0.05
POLL_MAX_S = 15.0

_KEY = re.compile(r"[!-~]{1,255}")


class _SignId(msgspec.Struct, frozen=True):
    sign_id: int


class _InUse(msgspec.Struct, frozen=True):
    sign_id: Optional[int]


class _SignPage(Page[Sign], frozen=True, kw_only=True):
    items: tuple[Sign, ...] = msgspec.field(name="signs")


class Signatures(Calls):
    """Calls for signatures; `Client` and `AsyncClient` add the transport."""

    # The contract's four calls, which the vendor's own service has too.

    @call
    def create_sign(
        self, sign: str, *, images: ImageFiles = (), idempotency_key: str = "", **fields: Unpack[Fields]
    ) -> Call[int]:
        """Submit a new signature; return its sign_id.

        With an `idempotency_key`, the same submission returns the same sign_id for seven days, also after a
        crash. Without one, the retries of this call share a random key.

        Raises: OtherInAudit, InvalidSignature, InvalidImage, InvalidBody, KeyReused, TooManySubmissions;
        ValueError and OSError for invalid arguments and unreadable files.
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
        """Resubmit a refused signature, with all fields and images; return its sign_id.

        Raises: InvalidSignId, and as `create_sign`.
        """
        # POST, as every published client sends; the contract says PUT in its text and POST in its example.
        return (yield from self._submit(f"/v1/sign/{sign_id}", "POST", sign, images, fields, idempotency_key))

    @call
    def get_sign(self, sign_id: int) -> Call[Sign]:
        """Query a signature.

        Raises: InvalidSignId.
        """
        return (yield from self._query(sign_id))

    @call
    def delete_sign(self, sign_id: int) -> Call[None]:
        """Delete a signature; one in the audit is withdrawn.

        Raises: InvalidSignId, InUse.
        """
        try:
            yield from self._perform(Request(method="DELETE", path=f"/v1/sign/{sign_id}"))
        except InvalidSignId as error:
            if not error.may_have_succeeded:  # else an earlier attempt without a response has deleted it
                raise

    # The calls that smsign adds.

    @call
    def wait_until_decided(self, sign_id: int, timeout_s: float = 3600.0) -> Call[Sign]:
        """Poll a signature, with backoff, until it is no longer in the audit; return it.

        Works with the vendor's own service too. Connection errors and 5xx are retried until the timeout.

        Raises: DecisionTimeout after `timeout_s` seconds; InvalidSignId when the signature is deleted.
        """
        deadline = time.monotonic() + timeout_s
        pause_s = POLL_S
        seen: Sign | None = None
        while True:
            failed: ClientError | None = None
            try:
                seen = yield from self._query(sign_id)
            except ApiConnectionError as error:
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
                raise DecisionTimeout(seen or Sign(sign_id=sign_id, sign="", status=0), timeout_s)
            yield Sleep(min(left_s, pause_s * random.uniform(0.8, 1.2)), failed)  # noqa: S311
            pause_s = min(pause_s * 1.6, POLL_MAX_S)

    @call
    def check_sign(
        self, sign: str, *, sign_id: int | None = None, images: ImageFiles = (), **fields: Unpack[Fields]
    ) -> Call[Check]:
        """Validate a submission without storing it (a dry run).

        With `sign_id`: as a resubmission of that signature.
        """
        request = Request(
            method="POST",
            path="/v1/signs/check",
            query=query_of(sign_id=sign_id),
            body=SubmissionForm({"sign": sign, **fields}, images),
        )
        return (yield from self._fetch(request, Check))

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

        `since` (inclusive) and `until` (exclusive) filter by the time of creation; `limit` is 1 to 100.
        """
        query = query_of(
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

    @paginated
    def iter_signs(
        self,
        *,
        status: int | None = None,
        use_status: int | None = None,
        sign: str | None = None,
        prefix: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Pages[Sign]:
        """Iterate over the application's signatures, newest first, page by page."""
        query = query_of(
            status=status,
            use_status=use_status,
            sign=sign,
            prefix=prefix,
            since=since,
            until=until,
            limit=LIST_MAX,
        )
        yield from self._pages(query, self._list)

    @call
    def describe_sign(self, sign_id: int) -> Call[SignDetail]:
        """Return a signature with its versions, decisions and timeline.

        Raises: InvalidSignId.
        """
        return (yield from self._get(f"/v1/signs/{sign_id}", SignDetail))

    @call
    def download_image(self, sign_id: int, version: int, slot: str) -> Call[bytes]:
        """Download an image as it was submitted.

        Raises: InvalidSignId.
        """
        path = f"/v1/signs/{sign_id}/versions/{version}/images/{quote(slot, safe='')}"
        response = yield from self._send(Request(method="GET", path=path))
        if not response.headers.get("content-type", "").startswith("image/"):
            raise InvalidResponse("the response is not an image; is the base URL right?")
        return response.body

    @call
    def withdraw_sign(self, sign_id: int) -> Call[None]:
        """Withdraw a signature from the audit.

        Raises: InvalidSignId when it is not in the audit.
        """
        yield from self._perform(
            Request(method="POST", path=f"/v1/signs/{sign_id}/withdraw", idempotent=False)
        )

    @call
    def get_in_use(self) -> Call[Sign | None]:
        """Return the signature in use, or None."""
        response = yield from self._send(Request(method="GET", path="/v1/signs/in-use"))
        return decode(response, Sign) if decode(response, _InUse).sign_id is not None else None

    @call
    def set_in_use(self, sign_id: int) -> Call[None]:
        """Put a passed signature in use, in place of the current one.

        Raises: InvalidSignId.
        """
        yield from self._perform(Request(method="PUT", path="/v1/signs/in-use", body=encode(sign_id=sign_id)))

    @call
    def clear_in_use(self) -> Call[None]:
        """Put no signature in use."""
        yield from self._perform(Request(method="DELETE", path="/v1/signs/in-use"))

    @call
    def get_app(self) -> Call[App]:
        """Return the application, with its limits."""
        return (yield from self._get("/v1/app", App))

    def _query(self, sign_id: int) -> Call[Sign]:
        return (yield from self._get(f"/v1/sign/{sign_id}", Sign))

    def _list(self, query: dict[str, str]) -> Call[Page[Sign]]:
        return (yield from self._get("/v1/signs", _SignPage, query))

    def _submit(
        self, path: str, method: str, sign: str, images: ImageFiles, fields: Fields, key: str
    ) -> Call[int]:
        if key and not _KEY.fullmatch(key):
            raise ValueError("idempotency_key: not 1 to 255 visible ASCII characters; use for example a UUID")
        request = Request(
            method=method,
            path=path,
            headers={"idempotency-key": key or uuid.uuid4().hex},
            body=SubmissionForm({"sign": sign, **fields}, images),
        )
        return (yield from self._fetch(request, _SignId)).sign_id

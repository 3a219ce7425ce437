"""API calls for callbacks (webhooks) and their deliveries."""

from __future__ import annotations

from datetime import datetime

import msgspec

from smsign.client.calls import LIST_MAX, Calls, query_of
from smsign.client.decorators import call, paginated
from smsign.client.errors import UnknownCallback
from smsign.client.models import Callback, Delivery, DeliveryDetail, Page
from smsign.client.retry import Call, Pages, Request


class _CallbackPage(Page[Callback], frozen=True, kw_only=True):
    items: tuple[Callback, ...] = msgspec.field(name="callbacks")


class _DeliveryPage(Page[Delivery], frozen=True, kw_only=True):
    items: tuple[Delivery, ...] = msgspec.field(name="deliveries")


class _Events(msgspec.Struct, frozen=True):
    events: int


class Callbacks(Calls):
    """Calls for callbacks; `Client` and `AsyncClient` add the transport."""

    @call
    def list_callbacks(self) -> Call[tuple[Callback, ...]]:
        """List all callbacks of the application, without their secrets."""
        return (yield from self._get("/v1/callbacks", _CallbackPage)).items

    @call
    def create_callback(
        self, url: str, *, format: str = "standard", form: str | None = None
    ) -> Call[Callback]:
        """Add a callback that events are delivered to; return it with its secret.

        `format` is that of the request body, `standard` or `vendor`; the server verifies a callback of the
        vendor's format with an echo first. `form` is the old name of `format`, accepted until 1.0.

        Raises: InvalidParameter, NotVerified.
        """
        return (yield from self._post("/v1/callbacks", Callback, url=url, format=form or format))

    @call
    def get_callback(self, callback_id: int) -> Call[Callback]:
        """Return a callback with its secret.

        Raises: UnknownCallback.
        """
        return (yield from self._get(f"/v1/callbacks/{callback_id}", Callback))

    @call
    def delete_callback(self, callback_id: int) -> Call[None]:
        """Delete a callback; pending events are not delivered.

        Raises: UnknownCallback.
        """
        try:
            yield from self._perform(Request(method="DELETE", path=f"/v1/callbacks/{callback_id}"))
        except UnknownCallback as error:
            if not error.may_have_succeeded:  # else an earlier attempt without a response has deleted it
                raise

    @call
    def rotate_callback(self, callback_id: int, *, overlap_s: int | None = None) -> Call[Callback]:
        """Rotate the secret of a callback; deliveries carry both signatures for `overlap_s` seconds.

        Raises: UnknownCallback, InvalidParameter.
        """
        return (yield from self._post(f"/v1/callbacks/{callback_id}/rotate", Callback, overlap_s=overlap_s))

    @call
    def resume_callback(self, callback_id: int) -> Call[Callback]:
        """Resume a paused callback and deliver its pending events.

        Raises: UnknownCallback.
        """
        return (yield from self._post(f"/v1/callbacks/{callback_id}/resume", Callback))

    @call
    def replay_callback(self, callback_id: int, *, since: datetime, until: datetime) -> Call[int]:
        """Deliver all events of a time range again; return their number.

        Raises: UnknownCallback, InvalidParameter.
        """
        body = query_of(since=since, until=until)
        return (yield from self._post(f"/v1/callbacks/{callback_id}/replay", _Events, **body)).events

    @call
    def list_deliveries(
        self, callback_id: int, *, state: str | None = None, limit: int = 20, cursor: str | None = None
    ) -> Call[Page[Delivery]]:
        """Return one page of the delivery attempts, newest first. `state` is delivered or failed.

        Raises: UnknownCallback, InvalidParameter.
        """
        return (yield from self._deliveries(callback_id, query_of(state=state, limit=limit, cursor=cursor)))

    @paginated
    def iter_deliveries(self, callback_id: int, *, state: str | None = None) -> Pages[Delivery]:
        """Iterate over the delivery attempts, newest first.

        Raises: UnknownCallback, InvalidParameter.
        """
        query = query_of(state=state, limit=LIST_MAX)
        yield from self._pages(query, lambda query: self._deliveries(callback_id, query))

    @call
    def get_delivery(self, callback_id: int, delivery_id: int) -> Call[DeliveryDetail]:
        """Return a delivery attempt with its request and response.

        Raises: UnknownCallback.
        """
        return (yield from self._get(f"/v1/callbacks/{callback_id}/deliveries/{delivery_id}", DeliveryDetail))

    @call
    def resend_delivery(self, callback_id: int, delivery_id: int) -> Call[None]:
        """Deliver the event of a delivery attempt again.

        Raises: UnknownCallback.
        """
        yield from self._post(f"/v1/callbacks/{callback_id}/deliveries/{delivery_id}/resend", _Events)

    def _deliveries(self, callback_id: int, query: dict[str, str]) -> Call[Page[Delivery]]:
        return (yield from self._get(f"/v1/callbacks/{callback_id}/deliveries", _DeliveryPage, query))

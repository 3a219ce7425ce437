"""The calls about callbacks: endpoints that are told of events, and what they were told."""

from __future__ import annotations

from datetime import datetime

import msgspec

from smsign.client.calls import LIST_MAX, Calls, given
from smsign.client.errors import UnknownCallback
from smsign.client.method import call, items
from smsign.client.results import Callback, Delivery, DeliveryDetail, Page
from smsign.client.steps import Call, Items, Request


class _Callbacks(msgspec.Struct, frozen=True):
    callbacks: tuple[Callback, ...]


class _Deliveries(msgspec.Struct, frozen=True):
    deliveries: tuple[Delivery, ...]
    next: str | None = None


class _Events(msgspec.Struct, frozen=True):
    events: int


class Callbacks(Calls):
    """Calls as steps; `Client` and `AsyncClient` are this with a way to carry them out."""

    @call
    def list_callbacks(self) -> Call[tuple[Callback, ...]]:
        """Return all endpoints of the application; their secrets are None here."""
        return (yield from self._get(Request(method="GET", path="/v1/callbacks"), _Callbacks)).callbacks

    @call
    def create_callback(self, url: str, *, form: str = "standard") -> Call[Callback]:
        """Have events told to `url`, in the `standard` or the `vendor` form; return it with its secret.

        An endpoint of the vendor's form is asked for an echo first.

        Raises: InvalidParameter, NotVerified.
        """
        return (yield from self._post("/v1/callbacks", Callback, url=url, form=form))

    @call
    def get_callback(self, callback_id: int) -> Call[Callback]:
        """Return an endpoint with its secret.

        Raises: UnknownCallback.
        """
        return (yield from self._get(Request(method="GET", path=f"/v1/callbacks/{callback_id}"), Callback))

    @call
    def delete_callback(self, callback_id: int) -> Call[None]:
        """Tell an endpoint nothing any more.

        Raises: UnknownCallback.
        """
        try:
            yield from self._perform(Request(method="DELETE", path=f"/v1/callbacks/{callback_id}"))
        except UnknownCallback as error:
            if not error.maybe_done:  # else an earlier attempt, unanswered, has deleted it
                raise

    @call
    def rotate_callback(self, callback_id: int, *, overlap_s: int | None = None) -> Call[Callback]:
        """Give an endpoint a new secret; the old one signs too for `overlap_s` seconds.

        Raises: UnknownCallback, InvalidParameter.
        """
        return (yield from self._post(f"/v1/callbacks/{callback_id}/rotate", Callback, overlap_s=overlap_s))

    @call
    def resume_callback(self, callback_id: int) -> Call[Callback]:
        """Tell an endpoint that was paused all that waits for it.

        Raises: UnknownCallback.
        """
        return (yield from self._post(f"/v1/callbacks/{callback_id}/resume", Callback))

    @call
    def replay_callback(self, callback_id: int, *, since: datetime, until: datetime) -> Call[int]:
        """Tell an endpoint all events of a span of time once more; return how many.

        Raises: UnknownCallback, InvalidParameter.
        """
        span = given(since=since, until=until)
        return (yield from self._post(f"/v1/callbacks/{callback_id}/replay", _Events, **span)).events

    @call
    def list_deliveries(
        self, callback_id: int, *, state: str | None = None, limit: int = 20, cursor: str | None = None
    ) -> Call[Page[Delivery]]:
        """Return one page of what an endpoint was told, the newest attempt first.

        `state` is delivered or failed.

        Raises: UnknownCallback, InvalidParameter.
        """
        query = given(state=state, limit=limit, cursor=cursor)
        return (yield from self._deliveries(callback_id, query))

    @items
    def iter_deliveries(self, callback_id: int, *, state: str | None = None) -> Items[Delivery]:
        """Iterate over what an endpoint was told, the newest attempt first.

        Raises: UnknownCallback, InvalidParameter.
        """
        query = given(state=state, limit=LIST_MAX)
        while True:
            page = yield from self._deliveries(callback_id, query)
            yield list(page.items)
            if page.next is None:
                return
            query["cursor"] = page.next

    @call
    def get_delivery(self, callback_id: int, delivery_id: int) -> Call[DeliveryDetail]:
        """Return an attempt with what was sent and what was answered.

        Raises: UnknownCallback.
        """
        path = f"/v1/callbacks/{callback_id}/deliveries/{delivery_id}"
        return (yield from self._get(Request(method="GET", path=path), DeliveryDetail))

    @call
    def resend_delivery(self, callback_id: int, delivery_id: int) -> Call[None]:
        """Tell an endpoint the event of an attempt once more.

        Raises: UnknownCallback.
        """
        yield from self._post(f"/v1/callbacks/{callback_id}/deliveries/{delivery_id}/resend", _Events)

    def _deliveries(self, callback_id: int, query: dict[str, str]) -> Call[Page[Delivery]]:
        request = Request(method="GET", path=f"/v1/callbacks/{callback_id}/deliveries", query=query)
        page = yield from self._get(request, _Deliveries)
        return Page(items=page.deliveries, next=page.next)

"""The two transports: they carry out the steps of a call, blocking or on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TypeVar

import httpx2
from typing_extensions import Self

from smsign.client.multipart import SubmissionForm
from smsign.client.options import Options, check_http, environment
from smsign.client.retry import Call, NoResponse, Outcome, Pages, Request, Response, Sleep

T = TypeVar("T")

TIMEOUT_S = 30.0
RETRIES = 4

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class SyncTransport:
    """Carries out steps on the caller's thread. Threads may share a client."""

    def __init__(
        self,
        base_url: str,
        app_key: str,
        master_secret: str,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        language: str = "",
        http: httpx2.Client | None = None,
    ) -> None:
        self._options = Options(base_url, app_key, master_secret, retries=retries, language=language)
        self._http = httpx2.Client(timeout=timeout_s) if http is None else check_http(http, httpx2.Client)

    @classmethod
    def from_env(
        cls,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        language: str = "",
        http: httpx2.Client | None = None,
    ) -> Self:
        """Return a client with SMSIGN_URL, SMSIGN_APP_KEY and SMSIGN_MASTER_SECRET of the environment.

        Raises: ValueError, which names the variables that are missing or empty.
        """
        return cls(*environment(), timeout_s=timeout_s, retries=retries, language=language, http=http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, steps: Call[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._do(step)

    def _iterate(self, steps: Pages[T]) -> Iterator[T]:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration:
                return
            if isinstance(step, list):
                yield from step
                outcome = None
            else:
                outcome = self._do(step)

    def _do(self, step: Request | Sleep) -> Outcome:
        if isinstance(step, Sleep):
            time.sleep(step.seconds)
            return None
        body = step.body.open() if isinstance(step.body, SubmissionForm) else None
        try:
            return _response(self._http.send(self._options.request(step, body), auth=self._options.auth))
        except httpx2.RequestError as error:
            return _no_response(error)
        finally:
            if body is not None:
                body.close()


class AsyncTransport:
    """Carries out steps on an event loop; files are read on threads."""

    def __init__(
        self,
        base_url: str,
        app_key: str,
        master_secret: str,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        language: str = "",
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._options = Options(base_url, app_key, master_secret, retries=retries, language=language)
        self._http = (
            httpx2.AsyncClient(timeout=timeout_s) if http is None else check_http(http, httpx2.AsyncClient)
        )

    @classmethod
    def from_env(
        cls,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        language: str = "",
        http: httpx2.AsyncClient | None = None,
    ) -> Self:
        """Return a client with SMSIGN_URL, SMSIGN_APP_KEY and SMSIGN_MASTER_SECRET of the environment.

        Raises: ValueError, which names the variables that are missing or empty.
        """
        return cls(*environment(), timeout_s=timeout_s, retries=retries, language=language, http=http)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, steps: Call[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = await self._do(step)

    async def _iterate(self, steps: Pages[T]) -> AsyncIterator[T]:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration:
                return
            if isinstance(step, list):
                for item in step:
                    yield item
                outcome = None
            else:
                outcome = await self._do(step)

    async def _do(self, step: Request | Sleep) -> Outcome:
        if isinstance(step, Sleep):
            await asyncio.sleep(step.seconds)
            return None
        body = step.body.open() if isinstance(step.body, SubmissionForm) else None
        try:
            request = self._options.request(step, body)
            return _response(await self._http.send(request, auth=self._options.auth))
        except httpx2.RequestError as error:
            return _no_response(error)
        finally:
            if body is not None:
                body.close()


def _response(response: httpx2.Response) -> Response:
    return Response(response.status_code, response.headers, response.content)


def _no_response(error: httpx2.RequestError) -> NoResponse:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NoResponse(text, sent=not isinstance(error, _NOT_SENT))

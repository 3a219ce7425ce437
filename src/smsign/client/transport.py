"""The two transports: they carry out the steps of a call, blocking or on an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from smsign.client.multipart import Body, SubmissionForm
from smsign.client.retry import Call, NoResponse, Outcome, Pages, Request, Response, Sleep

T = TypeVar("T")

TIMEOUT_S = 30.0
RETRIES = 4

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class Options:
    """The address of the service, the credentials and the number of retries."""

    def __init__(
        self, base_url: str, app_key: str, master_secret: str, *, retries: int, language: str
    ) -> None:
        if retries < 0:
            raise ValueError(f"retries: {retries} is negative; 0 is a single attempt")
        try:
            url = httpx2.URL(base_url)
        except httpx2.InvalidURL as error:
            raise ValueError(f"base_url: {base_url!r}: {error}") from error
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
            raise ValueError(f"base_url: {base_url!r} is not the address of a service; write https://HOST")
        # The vendor's documentation gives its address with /v1, others without.
        self.base_url = str(url).rstrip("/").removesuffix("/v1")
        self.app_key = app_key
        self.retries = retries
        self.auth = httpx2.BasicAuth(app_key, master_secret)
        self._headers = {"accept-language": language} if language else {}

    def request(self, step: Request, body: Body | None) -> httpx2.Request:
        """Return the HTTP request of `step`."""
        headers = {**self._headers, **step.headers}
        stream: _Stream | None = None
        content: bytes | None = None
        if isinstance(step.body, SubmissionForm):
            assert body is not None
            stream = _Stream(body)
            headers |= {"content-type": step.body.content_type, "content-length": str(body.length)}
        elif step.body is not None:
            content = step.body
            headers["content-type"] = "application/json"
        request = httpx2.Request(
            step.method,
            self.base_url + step.path,
            params=step.query or None,
            headers={"user-agent": "smsign", "accept": "*/*", **headers},
            content=content,
            stream=stream,
        )
        request.headers.setdefault("host", request.url.netloc.decode("ascii"))
        return request


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
        self._http = http or httpx2.Client(timeout=timeout_s)

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
        self._http = http or httpx2.AsyncClient(timeout=timeout_s)

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


class _Stream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The request body of one attempt, for either client."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._body.chunks()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._body.chunks()
        while chunk := await asyncio.to_thread(next, chunks, b""):
            yield chunk


def _response(response: httpx2.Response) -> Response:
    return Response(response.status_code, response.headers, response.content)


def _no_response(error: httpx2.RequestError) -> NoResponse:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NoResponse(text, sent=not isinstance(error, _NOT_SENT))

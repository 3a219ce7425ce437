"""Decorators that make one generator of steps a method of `Client` and a coroutine method of `AsyncClient`.

Type checkers see the exact types on both.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from smsign.client.retry import Call, Pages
from smsign.client.transport import AsyncTransport, SyncTransport

P = ParamSpec("P")
T = TypeVar("T")


class call(Generic[P, T]):  # noqa: N801
    """A method with one result: `T` on `Client`, a coroutine on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Call[T]]) -> None:
        def run(client: SyncTransport, /, *args: Any, **kwargs: Any) -> Any:
            return client._run(self.steps(client, *args, **kwargs))

        async def run_async(client: AsyncTransport, /, *args: Any, **kwargs: Any) -> Any:
            return await client._run(self.steps(client, *args, **kwargs))

        self.__doc__ = steps.__doc__
        self.steps = steps
        self._sync, self._async = _describe(run, steps, "{}"), _describe(run_async, steps, "{}")

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: SyncTransport, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncTransport, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """Return the method, bound to a client if there is one."""
        return _bind(self._async if issubclass(owner, AsyncTransport) else self._sync, client)


class paginated(Generic[P, T]):  # noqa: N801
    """A method that iterates over all pages: `for` on `Client`, `async for` on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        def run(client: SyncTransport, /, *args: Any, **kwargs: Any) -> Any:
            return client._iterate(self.steps(client, *args, **kwargs))

        def run_async(client: AsyncTransport, /, *args: Any, **kwargs: Any) -> Any:
            return client._iterate(self.steps(client, *args, **kwargs))

        self.__doc__ = steps.__doc__
        self.steps = steps
        self._sync = _describe(run, steps, "Iterator[{}]")
        self._async = _describe(run_async, steps, "AsyncIterator[{}]")

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: SyncTransport, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncTransport, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """Return the method, bound to a client if there is one."""
        return _bind(self._async if issubclass(owner, AsyncTransport) else self._sync, client)


def _bind(method: Callable[..., Any], client: object) -> Any:
    return method if client is None else MethodType(method, client)


def _describe(method: Callable[..., Any], steps: Callable[..., Any], returns: str) -> Callable[..., Any]:
    """Give `method` the name, the docstring and the signature of `steps`, with its own return type."""
    functools.update_wrapper(method, steps)
    signature = inspect.signature(steps)
    inner = str(signature.return_annotation).partition("[")[2].removesuffix("]")
    vars(method)["__signature__"] = signature.replace(return_annotation=returns.format(inner))
    return method

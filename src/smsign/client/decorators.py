"""Decorators that make one generator of steps a method of `Client` and a coroutine method of `AsyncClient`.

Type checkers see the exact types on both. `add_methods` gives a client its methods as plain functions, for
`help`, `inspect` and `unittest.mock.create_autospec`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from typing_extensions import Concatenate, ParamSpec

from smsign.client.retry import Call, Pages
from smsign.client.transport import AsyncTransport, SyncTransport

C = TypeVar("C", bound=type)
P = ParamSpec("P")
T = TypeVar("T")


class call(Generic[P, T]):  # noqa: N801
    """A method with one result: `T` on `Client`, a coroutine on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self._steps = steps

    if TYPE_CHECKING:

        @overload
        def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
        @overload
        def __get__(self, client: SyncTransport, owner: type) -> Callable[P, T]: ...
        @overload
        def __get__(self, client: AsyncTransport, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
        def __get__(self, client: Any, owner: type) -> Any: ...

    def method(self, client: type) -> Callable[..., Any]:
        """Return the method for a class of clients."""
        steps = self._steps

        def run(self: SyncTransport, /, *args: Any, **kwargs: Any) -> Any:
            return self._run(steps(self, *args, **kwargs))

        async def run_async(self: AsyncTransport, /, *args: Any, **kwargs: Any) -> Any:
            return await self._run(steps(self, *args, **kwargs))

        return _describe(run_async if issubclass(client, AsyncTransport) else run, steps, "{}")


class paginated(Generic[P, T]):  # noqa: N801
    """A method that iterates over all pages: `for` on `Client`, `async for` on `AsyncClient`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self._steps = steps

    if TYPE_CHECKING:

        @overload
        def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
        @overload
        def __get__(self, client: SyncTransport, owner: type) -> Callable[P, Iterator[T]]: ...
        @overload
        def __get__(self, client: AsyncTransport, owner: type) -> Callable[P, AsyncIterator[T]]: ...
        def __get__(self, client: Any, owner: type) -> Any: ...

    def method(self, client: type) -> Callable[..., Any]:
        """Return the method for a class of clients."""
        steps = self._steps

        def run(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return self._iterate(steps(self, *args, **kwargs))

        kind = "AsyncIterator[{}]" if issubclass(client, AsyncTransport) else "Iterator[{}]"
        return _describe(run, steps, kind)


def add_methods(client: C) -> C:
    """Add the methods of all calls to a class of clients; a decorator."""
    for name in dir(client):
        declared = inspect.getattr_static(client, name)
        if isinstance(declared, (call, paginated)):
            setattr(client, name, declared.method(client))
    return client


def _describe(method: Callable[..., Any], steps: Callable[..., Any], returns: str) -> Callable[..., Any]:
    """Give `method` the name, the docstring and the signature of `steps`, with its own return type."""
    functools.update_wrapper(method, steps)
    signature = inspect.signature(steps)
    inner = str(signature.return_annotation).partition("[")[2].removesuffix("]")
    vars(method)["__signature__"] = signature.replace(return_annotation=returns.format(inner))
    return method

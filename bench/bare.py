"""The bare server: a constant response, the upper bound for an ASGI application on granian."""

from __future__ import annotations

from typing import Any

BODY = '{"sign_id":37582,"sign":"极光推送","status":1,"use_status":1,"is_default":1}'.encode()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Respond to every request alike."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


def main(port: int) -> None:
    """Serve on `port` as `smsign serve` does."""
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.server import Server

    Server(
        "bench.bare:app",
        port=port,
        interface=Interfaces.ASGINL,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    import sys

    main(int(sys.argv[1]))

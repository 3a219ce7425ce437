"""A program with both clients, for interpreters other than that of the tests, so in the syntax of Python 3.9.

The service and the keys of a test application are in the environment. It fails with a traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
import zlib

import httpx2

from smsign.client import AsyncClient, Client, InvalidSignId, WebhookVerificationError, verify_standard

ABSENT = ("uvloop", "pytest", "smsign.errors")


def image() -> bytes:
    """Return a grey PNG."""
    header = struct.pack(">IIBBBBB", 40, 40, 8, 0, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(bytes(41 * 40)), b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def use_client() -> None:
    with Client.from_env(http=httpx2.Client(trust_env=False)) as client:
        sign_id = client.create_sign("测试模糊", images=[image()], remark="官网")
        assert client.wait_until_decided(sign_id, 10).refused
        client.modify_sign(sign_id, "极光推送", images={"idCardImage": image()})
        assert client.wait_until_decided(sign_id, 10).passed
        assert [each.sign for each in client.iter_signs()] == ["极光推送"]
        assert client.list_signs().request_id
        assert [each.n for each in client.describe_sign(sign_id).versions] == [1, 2]
        assert client.list_callbacks() == ()
        with contextlib.suppress(InvalidSignId):
            client.get_sign(sign_id + 1)
            raise AssertionError


async def use_async_client() -> None:
    async with AsyncClient.from_env(http=httpx2.AsyncClient(trust_env=False)) as client:
        sign_id = await client.create_sign("测试通过", images=[image()])
        assert (await client.wait_until_decided(sign_id, 10)).passed
        assert [each.sign async for each in client.iter_signs()] == ["测试通过", "极光推送"]


def use_webhooks() -> None:
    with contextlib.suppress(WebhookVerificationError):
        verify_standard({}, b"", "whsec_c2VjcmV0")
        raise AssertionError


if __name__ == "__main__":
    use_client()
    asyncio.run(use_async_client())
    use_webhooks()
    assert not [name for name in ABSENT if sys.modules.get(name)]

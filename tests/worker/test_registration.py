"""Registration of callbacks: URL checks, echo, limits, ownership."""

from __future__ import annotations

from typing import Any

import pytest

from smsign.actions import callbacks, redelivery
from smsign.errors import ApiError
from tests.worker.receiver import Receiver, respond, status
from tests.worker.scene import Scene

pytestmark = pytest.mark.process


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
@pytest.mark.parametrize("behave", [status(200), status(500), respond(b""), status(302)])
async def test_vendor_callback_must_echo_before_registration(
    scene: Scene, receiver: Receiver, behave: object
) -> None:
    receiver.behave = behave  # type: ignore[assignment]
    app = await scene.make_app()
    with pytest.raises(ApiError, match="51005") as error:
        await scene.register(app, receiver.url, "vendor")
    assert "echostr" in error.value.problems[0].reason.en
    assert await scene.app_events(app) == ["app.created"]


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", 51001),
        ("ftp://example.com/", 51001),
        ("https://user:pass@example.com/", 51001),
        ("https://user@example.com/", 51001),
        ("https://@example.com/", 51001),
        ("https://exa mple.com/", 51001),
        ("https://example.com/#part", 51001),
        ("https://example.com:99999/", 51001),
        ("https://例子.test/", 51001),
        ("https:///path", 51001),
        ("https://[::1/", 51001),
        ("https://example.com/" + "x" * 2000, 51001),
        ("https://10.0.0.1/", 51005),
        ("http://169.254.169.254/latest/meta-data", 51005),
        ("http://[::1]/", 51005),
        ("http://[::ffff:10.0.0.1]/", 51005),
        ("http://2130706433/", 51005),
        ("http://no-such-name.invalid/", 51005),
    ],
)
async def test_invalid_or_forbidden_url_is_not_registered(scene: Scene, url: str, code: int) -> None:
    app = await scene.make_app()
    if url == "http://2130706433/":  # another notation of the loopback, which this scene allows
        scene.sender._guard._allowed = ()
    with pytest.raises(ApiError, match=str(code)) as error:
        await scene.register(app, url)
    assert error.value.problems[0].field == "url"


async def test_registration_reports_all_problems_and_rejects_duplicates(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    with pytest.raises(ApiError) as error:
        await scene.register(app, "nowhere", "other")
    assert [problem.field for problem in error.value.problems] == ["url", "format"]
    await scene.register(app, receiver.url)
    with pytest.raises(ApiError, match="51001"):
        await scene.register(app, receiver.url)
    for n in range(9):
        await scene.register(app, f"{receiver.url}/{n}")
    with pytest.raises(ApiError, match="51001"):
        await scene.register(app, f"{receiver.url}/more")


async def test_callback_of_another_application_answers_51004(scene: Scene, receiver: Receiver) -> None:
    app, other = await scene.make_app(), await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.submit(app)
    await scene.drain()
    (delivery,) = await scene.deliveries(callback)
    common: dict[str, Any] = {
        "app": other,
        "callback_id": callback.id,
        "actor": "test:owner",
        "now": scene.tick(),
    }
    db, vault = scene.stores.db, scene.stores.vault
    for call in (
        callbacks.remove(db, **common),
        callbacks.rotate(db, vault, overlap_s=0, **common),
        callbacks.pause(db, **common),
        callbacks.resume(db, **common),
        redelivery.resend(db, delivery_id=delivery.id, **common),
        redelivery.replay(db, since=1, until=2, **common),
    ):
        with pytest.raises(ApiError, match="51004"):
            await call

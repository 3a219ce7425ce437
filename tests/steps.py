"""The steps that tests of storage and actions take, with a clock that ticks once for each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from smsign.actions import apps, audits, signatures
from smsign.domain.apps import App
from smsign.domain.signatures import Rules
from smsign.storage.blobs.upload import Upload
from smsign.storage.open import Stores

clock = itertools.count(1_700_000_000_000_000)


async def make_app(stores: Stores, name: str = "") -> App:
    """Return a new application, of a unique name unless one is given."""
    return await apps.create(
        stores.db,
        stores.vault,
        name=name or f"app{next(clock)}",
        keys=apps.make_keys(),
        use_by_hand=False,
        actor="test:builder",
        now=next(clock),
    )


async def submit(
    stores: Stores,
    app: App,
    sign_id: int | None = None,
    *,
    uploads: Sequence[Upload] = (),
    key: str | None = None,
    rules: Rules | None = None,
) -> int:
    """Submit a signature, or again the one given; return its id."""
    return await signatures.submit(
        stores.db,
        stores.blobs,
        rules or Rules(),
        app=app,
        signature_id=sign_id,
        fields={"sign": "极光推送"},
        uploads=uploads,
        actor="test:app",
        now=next(clock),
        key=key,
    )


async def decide(
    stores: Stores,
    sign_id: int,
    *,
    passed: bool,
    actor: str = "test:auditor",
    version: int | None = None,
    now: int | None = None,
) -> None:
    """Pass a signature, or refuse it for its form."""
    await audits.decide(
        stores.db,
        signature_id=sign_id,
        passed=passed,
        reasons=() if passed else ["format"],
        actor=actor,
        version=version,
        now=next(clock) if now is None else now,
    )

"""The history of a signature: its versions, each with its images and its decision, in four statements."""

from __future__ import annotations

import msgspec

from smsign.domain.audits import Decision
from smsign.domain.images import Image
from smsign.domain.signatures import Version
from smsign.storage.engine.protocol import Reader
from smsign.storage.rows import audits, signatures


class Revision(msgspec.Struct, frozen=True):
    """A version with its images, and its decision if there is one."""

    version: Version
    images: list[Image]
    decision: Decision | None


async def list_(db: Reader, app_id: int, signature_id: int) -> list[Revision]:
    """Return all revisions of an application's signature, the first one first."""
    images = await signatures.list_all_images(db, app_id, signature_id)
    decisions = await audits.list_(db, app_id, signature_id)
    return [
        Revision(version, images.get(version.n, []), decisions.get(version.n))
        for version in await signatures.list_versions(db, app_id, signature_id)
    ]

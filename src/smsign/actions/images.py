"""Read the images of signatures as evidence: the bytes that were submitted, or none."""

from __future__ import annotations

import logging

from smsign.domain.images import Image
from smsign.errors import DamagedImage, NotFound
from smsign.storage.blobs.store import Blobs

log = logging.getLogger(__name__)


async def read(blobs: Blobs, image: Image, *, signature_id: int) -> bytes:
    """Return the bytes of an image, checked against the hash in its row.

    Raises: DamagedImage if they are missing or others, StorageError.
    """
    try:
        return await blobs.get(image.sha256)
    except (NotFound, DamagedImage) as error:
        extra = {"signature": signature_id, "slot": image.slot, "sha256": image.sha256, "error": str(error)}
        log.error("image damaged", extra=extra)
        raise DamagedImage(
            "this image is missing or damaged in the store; restore it from a backup",
            "该图片在存储中缺失或已损坏，请从备份恢复",
        ) from error

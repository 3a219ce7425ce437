"""Images for browsers: a re-encoded preview, or the original as a download; never the original inline."""

from __future__ import annotations

from smsign.actions import images as actions
from smsign.console.context import Context, not_found
from smsign.http.wire import Response
from smsign.storage.blobs.decoder import on_decoder, preview
from smsign.storage.rows import signatures as rows

SIZES = {"small": 320, "large": 2000}
"""Longest side of a preview in pixels."""

_TYPES = {"png": b"image/png", "jpeg": b"image/jpeg"}
_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, max-age=86400, immutable"),
)


async def show(ctx: Context, signature: int, version: int, slot: str) -> Response:
    """Return one image of a signature that the user may see."""
    found = await ctx.signature(signature)
    images = await rows.list_images(ctx.db.read, found.app_id, found.id, version)
    image = next((each for each in images if each.slot == slot), None)
    if image is None:
        raise not_found()
    data = await actions.read(ctx.service.blobs, image, signature_id=found.id)
    if ctx.query["size"] == "original":
        name = f'attachment; filename="{found.id}-{version}-{slot}.{image.type}"'.encode()
        kind = _TYPES[image.type]
        return Response(200, data, ((b"content-type", kind), (b"content-disposition", name), *_HEADERS))
    webp = await on_decoder(preview, data, SIZES.get(ctx.query["size"], SIZES["large"]))
    return Response(200, webp, ((b"content-type", b"image/webp"), *_HEADERS))

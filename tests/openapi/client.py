"""Uses a server through the client that openapi-python-client generated.

Arguments: URL, appKey, masterSecret, a PNG in base64.
"""

from __future__ import annotations

import base64
import io
import sys

from smsign_api import AuthenticatedClient
from smsign_api.api.callbacks import create_callback
from smsign_api.api.contract import create_sign, get_sign, modify_sign
from smsign_api.api.signs import check_sign, describe_sign, download_image, get_in_use, list_signs
from smsign_api.models import (
    CallbackFormat,
    CallbackRequest,
    CallbackWithSecret,
    CheckRequest,
    CheckResult,
    ErrorResponse,
    Sign,
    SignDetail,
    SignId,
    SignPage,
    SignSummary,
    Slot,
    Status,
    Submission,
    SubmissionType,
    TimelineKind,
)
from smsign_api.types import File


def main(url: str, app_key: str, master_secret: str, png: str) -> None:
    token = base64.b64encode(f"{app_key}:{master_secret}".encode()).decode()
    client = AuthenticatedClient(base_url=url, token=token, prefix="Basic", raise_on_unexpected_status=True)
    image = base64.b64decode(png)

    created = create_sign.sync(
        client=client, body=Submission("测试模糊", type_=SubmissionType.VALUE_1, image0=_file(image))
    )
    assert isinstance(created, SignId), created
    refused = get_sign.sync(created.sign_id, client=client)
    assert isinstance(refused, SignSummary), refused
    assert (refused.status, bool(refused.refuse_reason)) == (Status.REFUSED, True)

    modified = modify_sign.sync(
        created.sign_id, client=client, body=Submission("极光推送", images=[_file(image)])
    )
    assert isinstance(modified, SignId), modified
    detail = describe_sign.sync(created.sign_id, client=client)
    assert isinstance(detail, SignDetail), detail
    assert detail.timeline[-1].kind is TimelineKind.SIGNATURE_PASSED
    downloaded = download_image.sync(created.sign_id, 2, Slot.IMAGE0, client=client)
    assert isinstance(downloaded, File), downloaded
    assert downloaded.payload.read() == image

    page = list_signs.sync(client=client, status=Status.PASSED)
    assert isinstance(page, SignPage), page
    assert [each.sign for each in page.signs] == ["极光推送"]
    in_use = get_in_use.sync(client=client)
    assert isinstance(in_use, Sign), in_use
    checked = check_sign.sync(client=client, body=CheckRequest(sign="极"))
    assert isinstance(checked, CheckResult), checked
    assert not checked.ok

    unknown = get_sign.sync(999_999, client=client)
    assert isinstance(unknown, ErrorResponse), unknown
    assert unknown.error.code == 50102
    callback = create_callback.sync(
        client=client, body=CallbackRequest(f"{url}/hook", format_=CallbackFormat.STANDARD)
    )
    assert isinstance(callback, CallbackWithSecret), callback

    later = SignSummary.from_dict(refused.to_dict() | {"added_later": 1})
    assert later.sign_id == refused.sign_id


def _file(data: bytes) -> File:
    return File(io.BytesIO(data), "image.png", "image/png")


if __name__ == "__main__":
    main(*sys.argv[1:])

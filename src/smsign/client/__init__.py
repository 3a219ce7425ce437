"""The Python SDK: `Client`, `AsyncClient`, and the receiving side of callbacks.

    from smsign.client import Client, OtherInAudit

    with Client("https://sms.example.com", app_key, master_secret) as client:
        sign_id = client.create_sign("极光推送", images=["licence.png"])
        sign = client.wait_until_decided(sign_id)
        for each in client.iter_signs(status=Status.REFUSED):
            print(each.sign, each.refuse_reason)

`AsyncClient` has the same methods, to be awaited, and `async for` in place of `for`. Against the vendor's
own service `create_sign`, `modify_sign`, `get_sign`, `delete_sign` and `wait_until_decided` work; the
others raise `ApiNotFound`. This package imports nothing else of smsign.
"""

from smsign.client.clients import AsyncClient, Client
from smsign.client.errors import (
    ApiNotFound,
    AuthFailed,
    BadAnswer,
    BadCallback,
    ClientError,
    Detail,
    InUse,
    InvalidBody,
    InvalidImage,
    InvalidParameter,
    InvalidSignature,
    InvalidSignId,
    InvalidTempId,
    KeyReused,
    MediaNotSupported,
    MethodNotSupported,
    MissingAuth,
    MissingBody,
    NoConnection,
    NoSmsService,
    NotDecided,
    NotVerified,
    OtherInAudit,
    OutOfFreq,
    ServerError,
    SmsignApiError,
    TooManySubmissions,
    UnknownCallback,
    WrongTemplateType,
)
from smsign.client.form import Fields, ImageFile, ImageFiles
from smsign.client.receive import Event, EventData, VendorResult, echo, verify_standard, verify_vendor
from smsign.client.results import (
    App,
    Callback,
    Check,
    Decision,
    Delivery,
    DeliveryDetail,
    Image,
    Page,
    Problem,
    Reason,
    SentRequest,
    Sign,
    SignDetail,
    Status,
    TimelineEntry,
    Version,
)

__all__ = [
    "ApiNotFound",
    "App",
    "AsyncClient",
    "AuthFailed",
    "BadAnswer",
    "BadCallback",
    "Callback",
    "Check",
    "Client",
    "ClientError",
    "Decision",
    "Delivery",
    "DeliveryDetail",
    "Detail",
    "Event",
    "EventData",
    "Fields",
    "Image",
    "ImageFile",
    "ImageFiles",
    "InUse",
    "InvalidBody",
    "InvalidImage",
    "InvalidParameter",
    "InvalidSignId",
    "InvalidSignature",
    "InvalidTempId",
    "KeyReused",
    "MediaNotSupported",
    "MethodNotSupported",
    "MissingAuth",
    "MissingBody",
    "NoConnection",
    "NoSmsService",
    "NotDecided",
    "NotVerified",
    "OtherInAudit",
    "OutOfFreq",
    "Page",
    "Problem",
    "Reason",
    "SentRequest",
    "ServerError",
    "Sign",
    "SignDetail",
    "SmsignApiError",
    "Status",
    "TimelineEntry",
    "TooManySubmissions",
    "UnknownCallback",
    "VendorResult",
    "Version",
    "WrongTemplateType",
    "echo",
    "verify_standard",
    "verify_vendor",
]

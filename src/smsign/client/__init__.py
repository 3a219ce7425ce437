"""The Python SDK: `Client`, `AsyncClient`, and verification of webhooks.

    from smsign.client import Client, Status

    with Client("https://sms.example.com", app_key, master_secret) as client:
        sign_id = client.create_sign("极光推送", images=["licence.png"])
        sign = client.wait_until_decided(sign_id)
        for each in client.iter_signs(status=Status.REFUSED):
            print(each.sign, each.refuse_reason)

`AsyncClient` has the same methods as coroutines and async iterators. On the vendor's own service
`create_sign`, `modify_sign`, `get_sign`, `delete_sign` and `wait_until_decided` work; the other methods raise
`ApiNotFound`. This package imports no other part of smsign.
"""

from smsign.client.clients import AsyncClient, Client
from smsign.client.errors import (
    ApiConnectionError,
    ApiNotFound,
    AuthFailed,
    ClientError,
    DecisionTimeout,
    Detail,
    InUse,
    InvalidBody,
    InvalidImage,
    InvalidParameter,
    InvalidResponse,
    InvalidSignature,
    InvalidSignId,
    InvalidTempId,
    KeyReused,
    MediaNotSupported,
    MethodNotSupported,
    MissingAuth,
    MissingBody,
    NoSmsService,
    NotVerified,
    OtherInAudit,
    OutOfFreq,
    ServerError,
    SmsignApiError,
    TooManySubmissions,
    UnknownCallback,
    WebhookVerificationError,
    WrongTemplateType,
)
from smsign.client.models import (
    App,
    Callback,
    Check,
    Decision,
    Delivery,
    DeliveryDetail,
    DeliveryRequest,
    Image,
    Page,
    Problem,
    Reason,
    Sign,
    SignDetail,
    Status,
    TimelineEvent,
    Version,
)
from smsign.client.multipart import Fields, ImageFile, ImageFiles
from smsign.client.webhooks import Event, EventData, VendorResult, echo, verify_standard, verify_vendor

__all__ = [
    "ApiConnectionError",
    "ApiNotFound",
    "App",
    "AsyncClient",
    "AuthFailed",
    "Callback",
    "Check",
    "Client",
    "ClientError",
    "Decision",
    "DecisionTimeout",
    "Delivery",
    "DeliveryDetail",
    "DeliveryRequest",
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
    "InvalidResponse",
    "InvalidSignId",
    "InvalidSignature",
    "InvalidTempId",
    "KeyReused",
    "MediaNotSupported",
    "MethodNotSupported",
    "MissingAuth",
    "MissingBody",
    "NoSmsService",
    "NotVerified",
    "OtherInAudit",
    "OutOfFreq",
    "Page",
    "Problem",
    "Reason",
    "ServerError",
    "Sign",
    "SignDetail",
    "SmsignApiError",
    "Status",
    "TimelineEvent",
    "TooManySubmissions",
    "UnknownCallback",
    "VendorResult",
    "Version",
    "WebhookVerificationError",
    "WrongTemplateType",
    "echo",
    "verify_standard",
    "verify_vendor",
]

"""Standard Webhooks (standardwebhooks.com): JSON, signed as a whole with a secret per callback."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import msgspec

from smsign.domain.callbacks import EventPayload, Keys, OutgoingRequest

PREFIX = "whsec_"


class Standard:
    """Delivers every event; during the overlap of a rotation both secrets sign."""

    name = "standard"
    decisions_only = False
    own_secret = True
    echoes = False
    retry_s: tuple[int, ...] = (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    jitter = 0.2

    def build(self, payload: EventPayload, *, url: str, keys: Keys, now: int, nonce: str) -> OutgoingRequest:  # noqa: ARG002
        """Return a POST; `webhook-id` identifies the event, the same for every attempt and callback."""
        data: dict[str, Any] = {
            "sign_id": payload.sign_id,
            "sign": payload.sign,
            "status": payload.status,
            "version": payload.version,
            "seq": payload.seq,
        }
        if payload.refuse_reason is not None:
            data |= {"refuse_reason": payload.refuse_reason, "reasons": payload.reasons}
        body = msgspec.json.encode({"type": payload.kind, "timestamp": payload.at, "data": data})
        message_id, timestamp = f"evt_{payload.event_id}", str(now // 1_000_000)
        signed = f"{message_id}.{timestamp}.".encode() + body
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(_sign(secret, signed) for secret in keys.secrets),
        }
        return OutgoingRequest("POST", url, headers, body.decode())


def make_secret(random: bytes) -> str:
    """Return a secret in the text form of Standard Webhooks, from 24 to 64 random bytes."""
    return PREFIX + base64.b64encode(random).decode()


def _sign(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()

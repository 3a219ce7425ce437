"""The vendor's format: a form POST signed with SHA-1 (wire.md, Callback of an audit result).

The signature does not cover `data`: anyone who has seen one callback can forge others. Only for
existing receivers; new ones should use the standard format.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

import msgspec

from smsign.domain.callbacks import EventPayload, Keys, OutgoingRequest


class Vendor:
    """Delivers decisions, signs with the masterSecret, retries after 3 minutes, 1 hour, 12 hours."""

    name = "vendor"
    decisions_only = True
    own_secret = False
    echoes = True
    retry_s: tuple[int, ...] = (180, 3600, 43_200)
    jitter = 0.0

    def build(self, payload: EventPayload, *, url: str, keys: Keys, now: int, nonce: str) -> OutgoingRequest:
        """Return a form POST; `timestamp` is in milliseconds."""
        timestamp = now // 1000
        signed = (
            f"appKey={keys.app_key}&appMasterSecret={keys.secrets[0]}&nonce={nonce}&timestamp={timestamp}"
        )
        data = {"signId": payload.sign_id, "status": payload.status, "refuseReason": payload.refuse_reason}
        fields = {
            "nonce": nonce,
            "signature": hashlib.sha1(signed.encode()).hexdigest(),  # noqa: S324 the vendor's choice
            "timestamp": timestamp,
            "type": "SMS_SIGN",
            "data": msgspec.json.encode(data).decode(),
        }
        return OutgoingRequest(
            "POST", url, {"content-type": "application/x-www-form-urlencoded"}, urlencode(fields)
        )

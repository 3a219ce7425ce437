"""Single sign-on by OpenID Connect: authorization code with PKCE, state and nonce (OpenID Connect Core, 3.1).

Who signs in this way is known by issuer and subject. An account gets connected by an invitation link or
by its person, signed in; nobody gets in by a name or an address that a provider claims.
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

import msgspec

from smsign.actions import accounts as actions
from smsign.console.context import HOME, Context, not_here
from smsign.console.people import start
from smsign.errors import InvalidInput, SetupError
from smsign.http.wire import Response
from smsign.storage.rows import accounts as rows

log = logging.getLogger(__name__)

COOKIE = "smsign_sso"
COOKIE_S = 600
TIMEOUT_S = 10.0
SCOPE = "openid profile email"
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"]


class PendingLogin(msgspec.Struct):
    """What is remembered, sealed in a cookie, while the browser is at the provider."""

    state: str
    nonce: str
    verifier: str
    welcome: str
    to: str
    at: int


async def begin(ctx: Context) -> Response:
    """Send the browser to the provider; with `welcome`, an invitation is used on the way back."""
    settings = ctx.service.settings
    if not settings.oidc_issuer:
        raise not_here()
    pending = PendingLogin(
        secrets.token_urlsafe(24),
        secrets.token_urlsafe(24),
        secrets.token_urlsafe(48),
        ctx.query.get("welcome", "")[:100],
        ctx.query.get("to", "")[:200],
        ctx.now,
    )
    try:
        async with _client(ctx) as client:
            provider = await _discover(client, settings.oidc_issuer)
            url, _ = client.create_authorization_url(
                provider["authorization_endpoint"],
                state=pending.state,
                nonce=pending.nonce,
                code_verifier=pending.verifier,
            )
    except Exception as error:
        raise _told(ctx, error) from error
    sealed = ctx.service.vault.seal(msgspec.json.encode(pending).decode(), app_key=COOKIE)
    ctx.set_cookie(COOKIE, sealed.hex(), age_s=COOKIE_S)
    return ctx.leave(url)


async def finish(ctx: Context) -> Response:
    """Take the browser back: prove who it is, then start a session."""
    settings = ctx.service.settings
    if not settings.oidc_issuer:
        raise not_here()
    pending = _pending_login(ctx)
    ctx.set_cookie(COOKIE, "")
    given = {name: values[-1] for name, values in parse_qs(ctx.request.query).items()}
    if (
        not secrets.compare_digest(given.get("state", "").encode(), pending.state.encode())
        or "code" not in given
    ):
        raise _failed()
    try:
        claims = await _prove(ctx, pending, given["code"])
    except Exception as error:  # whatever a provider sends, or does not: the person may try again
        raise _told(ctx, error) from error
    identity = (settings.oidc_issuer, str(claims["sub"]))
    found = await rows.find_identity(ctx.db.read, *identity)
    if found is not None:
        account = await rows.get(ctx.db.read, found)
        if not account.enabled:
            raise _stranger()
        return await start(ctx, account, pending.to)
    if pending.welcome:
        account = await actions.accept(
            ctx.db, token=pending.welcome, name=_name(claims), now=ctx.now, identity=identity
        )
        return await start(ctx, account, "")
    if ctx.account is not None:
        await actions.connect(
            ctx.db, account=ctx.account, issuer=identity[0], subject=identity[1], now=ctx.now
        )
        return ctx.go(f"{HOME}/me", done="sso")
    raise _stranger()


async def _prove(ctx: Context, pending: PendingLogin, code: str) -> dict[str, Any]:
    """Return the claims of the ID token, its signature, issuer, audience, times and nonce checked."""
    from joserfc import jwt
    from joserfc.jwk import KeySet

    settings = ctx.service.settings
    async with _client(ctx) as client:
        provider = await _discover(client, settings.oidc_issuer)
        token = await client.fetch_token(
            provider["token_endpoint"], code=code, code_verifier=pending.verifier
        )
        answer = await client.request("GET", provider["jwks_uri"], withhold_token=True)
        keys = KeySet.import_key_set(answer.raise_for_status().json())
        about: dict[str, Any] = {}
        if "userinfo_endpoint" in provider:
            about = (await client.get(provider["userinfo_endpoint"])).raise_for_status().json()
    decoded = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS)
    registry = jwt.JWTClaimsRegistry(
        leeway=60,
        now=ctx.now // 1_000_000,
        iss={"essential": True, "value": provider["issuer"]},
        aud={"essential": True, "value": settings.oidc_client_id},
        exp={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": pending.nonce},
    )
    registry.validate(decoded.claims)
    if about.get("sub") != decoded.claims["sub"]:  # it may only add to what was signed (5.3.4)
        about = {}
    return about | decoded.claims


async def _discover(client: Any, issuer: str) -> dict[str, Any]:
    """Return what the provider says of itself (OpenID Connect Discovery, 4).

    Raises: ValueError when it speaks for another issuer, and what the client raises.
    """
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    answer = await client.request("GET", url, withhold_token=True)
    provider = dict(answer.raise_for_status().json())
    if str(provider.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise ValueError(f"it calls itself {provider.get('issuer')}, not {issuer}")
    return provider


def _client(ctx: Context) -> Any:
    # Loaded at first use: most servers have no provider.
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    settings = ctx.service.settings
    return AsyncOAuth2Client(
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret or None,
        scope=SCOPE,
        redirect_uri=f"{ctx.origin}{HOME}/sso/back",
        code_challenge_method="S256",
        timeout=TIMEOUT_S,
    )


def _pending_login(ctx: Context) -> PendingLogin:
    try:
        sealed = bytes.fromhex(ctx.cookies.get(COOKIE, ""))
        pending = msgspec.json.decode(ctx.service.vault.unseal(sealed, app_key=COOKIE), type=PendingLogin)
    except (ValueError, SetupError, msgspec.MsgspecError):
        raise _failed() from None
    if pending.at < ctx.now - COOKIE_S * 1_000_000:
        raise _failed()
    return pending


def _name(claims: dict[str, Any]) -> str:
    told = str(claims.get("preferred_username") or claims.get("email") or f"sso-{claims['sub']}")
    return re.sub(r"[^a-z0-9._@-]", "-", told.lower())[:64].lstrip("._@-")


def _told(ctx: Context, error: Exception) -> InvalidInput:
    reason = f"{type(error).__name__}: {error}"[:300]
    log.warning("single sign-on failed", extra={"reason": reason, "request_id": ctx.request.id})
    return _failed()


def _failed() -> InvalidInput:
    return InvalidInput(
        "the single sign-on did not work; start again from the sign-in page",
        "单点登录失败，请从登录页重新开始",
    )


def _stranger() -> InvalidInput:
    return InvalidInput(
        "no account here is connected with that sign-in; ask an admin for an invitation",
        "该登录未关联任何账号，请向管理员索取邀请链接",
    )

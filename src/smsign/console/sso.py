"""Single sign-on: the authorization code flow of OpenID Connect with PKCE, state and nonce (Core, 3.1).

An identity is an issuer and a subject. It is linked to an account by an invitation, or by the signed-in user;
a name or an e-mail address that the provider claims never gives access.
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import Any

import msgspec

from smsign.actions import accounts as actions
from smsign.console.context import HOME, Context, not_found
from smsign.console.session import start_session
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
    """A login that has not returned from the provider yet; stored in a cookie, encrypted."""

    state: str
    nonce: str
    verifier: str
    invitation: str
    to: str
    started_at: int


async def start(ctx: Context) -> Response:
    """Redirect to the provider; with `welcome`, the token of an invitation to accept afterwards."""
    settings = ctx.service.settings
    if not settings.oidc_issuer:
        raise not_found()
    pending = PendingLogin(
        secrets.token_urlsafe(24),
        secrets.token_urlsafe(24),
        secrets.token_urlsafe(48),
        ctx.query["welcome"][:100],
        ctx.query["to"][:200],
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
        raise _failed(ctx, error) from error
    sealed = ctx.service.vault.seal(msgspec.json.encode(pending).decode(), app_key=COOKIE)
    ctx.set_cookie(COOKIE, sealed.hex(), age_s=COOKIE_S)
    return ctx.redirect_away(url)


async def complete(ctx: Context) -> Response:
    """Handle the provider's redirect: verify the ID token, then start a session or link the identity."""
    settings = ctx.service.settings
    if not settings.oidc_issuer:
        raise not_found()
    pending = _pending_login(ctx)
    ctx.set_cookie(COOKIE, "")
    state_matches = secrets.compare_digest(ctx.query["state"].encode(), pending.state.encode())
    if not state_matches or "code" not in ctx.query:
        raise _error()
    try:
        claims = await _fetch_claims(ctx, pending, ctx.query["code"])
    except Exception as error:  # any failure at the provider: the user may try again
        raise _failed(ctx, error) from error
    identity = (settings.oidc_issuer, str(claims["sub"]))
    found = await rows.find_identity(ctx.db.read, *identity)
    if found is not None:
        account = await rows.get(ctx.db.read, found)
        if not account.enabled:
            raise _not_linked()
        return await start_session(ctx, account, pending.to)
    if pending.invitation:
        account = await actions.accept(
            ctx.db, token=pending.invitation, name=_name(claims), now=ctx.now, identity=identity
        )
        return await start_session(ctx, account, "")
    if ctx.account is not None:
        await actions.connect(
            ctx.db, account=ctx.account, issuer=identity[0], subject=identity[1], now=ctx.now
        )
        return ctx.redirect(f"{HOME}/me", notice="saved")
    raise _not_linked()


async def _fetch_claims(ctx: Context, pending: PendingLogin, code: str) -> dict[str, Any]:
    """Exchange the code; return the claims of the ID token after all checks, and of the UserInfo endpoint."""
    from joserfc import jwt
    from joserfc.jwk import KeySet

    settings = ctx.service.settings
    async with _client(ctx) as client:
        provider = await _discover(client, settings.oidc_issuer)
        token = await client.fetch_token(
            provider["token_endpoint"], code=code, code_verifier=pending.verifier
        )
        response = await client.request("GET", provider["jwks_uri"], withhold_token=True)
        keys = KeySet.import_key_set(response.raise_for_status().json())
        user_info: dict[str, Any] = {}
        if "userinfo_endpoint" in provider:
            user_info = (await client.get(provider["userinfo_endpoint"])).raise_for_status().json()
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
    if user_info.get("sub") != decoded.claims["sub"]:  # not this user's (5.3.4)
        user_info = {}
    return user_info | decoded.claims


async def _discover(client: Any, issuer: str) -> dict[str, Any]:
    """Return the provider's metadata (OpenID Connect Discovery, 4).

    Raises: ValueError if the metadata names another issuer; and what the client raises.
    """
    url = issuer.rstrip("/") + "/.well-known/openid-configuration"
    response = await client.request("GET", url, withhold_token=True)
    provider = dict(response.raise_for_status().json())
    if str(provider.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise ValueError(f"the metadata names the issuer {provider.get('issuer')}, not {issuer}")
    return provider


def _client(ctx: Context) -> Any:
    # Imported at first use: most servers have no provider.
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
        raise _error() from None
    if pending.started_at < ctx.now - COOKIE_S * 1_000_000:
        raise _error()
    return pending


def _name(claims: dict[str, Any]) -> str:
    name = str(claims.get("preferred_username") or claims.get("email") or f"sso-{claims['sub']}")
    return re.sub(r"[^a-z0-9._@-]", "-", name.lower())[:64].lstrip("._@-")


def _failed(ctx: Context, error: Exception) -> InvalidInput:
    """Log what failed; return the error that the user sees."""
    reason = f"{type(error).__name__}: {error}"[:300]
    log.warning("single sign-on failed", extra={"reason": reason, "request_id": ctx.request.id})
    return _error()


def _error() -> InvalidInput:
    return InvalidInput(
        "single sign-on failed; start again from the sign-in page",
        "单点登录失败，请从登录页重新开始",
    )


def _not_linked() -> InvalidInput:
    return InvalidInput(
        "no account is linked to this identity; ask an admin for an invitation",
        "该身份未关联任何账号，请向管理员索取邀请链接",
    )

"""`smsign account …`: accounts of the console, and recovery when nobody can sign in."""

from __future__ import annotations

import click

from smsign.actions import accounts as actions
from smsign.actions import totp
from smsign.cli.language import say, word
from smsign.cli.options import actor, now, with_stores
from smsign.cli.output import local_time, show_json, show_table
from smsign.domain import accounts
from smsign.domain.accounts import Account, Role
from smsign.errors import NotFound
from smsign.storage.open import Stores
from smsign.storage.rows import accounts as rows


@click.group()
def account() -> None:
    """Invite people to the console and manage their accounts."""


@account.command()
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Role: an owner submits for applications, an auditor decides, an admin manages accounts."
    " May be repeated.",
)
@with_stores
async def invite(stores: Stores, roles: tuple[str, ...], *, as_json: bool) -> None:
    """Create an invitation link; valid once, for seven days."""
    checked = accounts.check_roles(roles)
    token = await actions.invite(stores.db, roles=checked, actor=actor(), now=now())
    _show(token, as_json=as_json)


@account.command()
@click.argument("name")
@with_stores
async def reset(stores: Stores, name: str, *, as_json: bool) -> None:
    """Create a link to set a new password.

    Turns off two-factor authentication. The old password works until the link is used.
    """
    found = await rows.find(stores.db.read, name)
    if found is None:
        raise NotFound(f"no account is called {name}", f"没有名为 {name} 的账号")
    if found.has_totp:
        await totp.turn_off(stores.db, account=found, actor=actor(), now=now())
    token = await actions.invite(stores.db, roles=found.roles, actor=actor(), now=now(), account_id=found.id)
    _show(token, as_json=as_json)


@account.command("list")
@with_stores
async def list_(stores: Stores, *, as_json: bool) -> None:
    """List all accounts."""
    found: list[Account] = []
    while page := await rows.list_(stores.db.scan, after=found[-1].name if found else ""):
        found += page
    if as_json:
        show_json([_public(each) for each in found])
        return
    show_table(
        ["name", "roles", "two-factor", "enabled", "created"],
        [
            [
                each.name,
                each.roles,
                word("yes" if each.has_totp else "no"),
                word("yes" if each.enabled else "no"),
                local_time(each.created_at),
            ]
            for each in found
        ],
        empty="No accounts yet. `smsign serve` prints the link for the first one.",
    )


def _show(token: str, *, as_json: bool) -> None:
    path = f"/console/welcome/{token}"
    show_json({"path": path}) if as_json else click.echo(
        say(f"Open on the server, once: {path}", f"在服务器地址后加上该路径打开，仅一次有效：{path}")
    )


def _public(found: Account) -> dict[str, object]:
    return {
        "name": found.name,
        "roles": found.roles.split(),
        "second_step": bool(found.has_totp),
        "enabled": bool(found.enabled),
        "created_at": found.created_at,
    }

"""`smsign sign …`: the signatures of an application."""

from __future__ import annotations

import sys
from datetime import UTC
from typing import Any

import click

from smsign.cli import types
from smsign.cli.integrator.remote import REFUSED, fail, with_client
from smsign.cli.integrator.submission import by_slot, combine, submission, texts, timeout_option, waiting
from smsign.cli.language import say, word
from smsign.cli.output import local_time, show_fields, show_json, show_table, status
from smsign.client import Check, Client, ClientError, DecisionTimeout, Sign, SignDetail

STATES = {"in-audit": 0, "passed": 1, "refused": 2}
_ID = click.argument("sign_id", metavar="ID", type=click.IntRange(1, 2**31 - 1))
filter_options = combine(
    click.option("--status", "state", type=click.Choice(list(STATES)), help="Filter by status."),
    click.option("--in-use", is_flag=True, help="Only the signature in use."),
    click.option("--content", help="Filter by exact content."),
    click.option("--prefix", help="Filter by the beginning of the content."),
    click.option(
        "--since",
        type=click.DateTime(),
        metavar="TIME",
        help="Created at or after this local time, such as 2026-01-31 or 2026-01-31T08:00:00.",
    ),
    click.option("--until", type=click.DateTime(), metavar="TIME", help="Created before this local time."),
)


@click.group()
def sign() -> None:
    """Submit and query signatures.

    \b
    Exit codes, for CI jobs:
      0  success; with wait: passed
      1  refused by an auditor, an error of the service, or no connection
      2  wrong usage, or no service and keys configured
      3  not decided in time
      130  interrupted with Ctrl-C
    """


@sign.command(epilog=types.HELP)
@click.argument("content")
@submission
@waiting
@with_client
def submit(client: Client, *, content: str, idempotency_key: str, as_json: bool, **given: Any) -> None:
    """Submit a new signature."""
    images, fields = by_slot(given["images"]), texts(given["fields"], given["kind"])
    sign_id = client.create_sign(content, images=images, idempotency_key=idempotency_key, **fields)
    _submitted(client, sign_id, wait=given["wait"], timeout_s=given["timeout_s"], as_json=as_json)


@sign.command(epilog=types.HELP)
@_ID
@click.argument("content")
@submission
@waiting
@with_client
def resubmit(
    client: Client, *, sign_id: int, content: str, idempotency_key: str, as_json: bool, **given: Any
) -> None:
    """Resubmit a refused signature, with all fields and images."""
    images, fields = by_slot(given["images"]), texts(given["fields"], given["kind"])
    client.modify_sign(sign_id, content, images=images, idempotency_key=idempotency_key, **fields)
    _submitted(client, sign_id, wait=given["wait"], timeout_s=given["timeout_s"], as_json=as_json)


@sign.command()
@_ID
@click.option("--detail", is_flag=True, help="Show all versions, decisions and the timeline.")
@with_client
def get(client: Client, *, sign_id: int, detail: bool, as_json: bool) -> None:
    """Show a signature."""
    found = client.describe_sign(sign_id) if detail else client.get_sign(sign_id)
    show_json(found) if as_json else _show(found)


@sign.command("list")
@filter_options
@click.option(
    "--limit", default=100, metavar="N", type=click.IntRange(0), help="Maximum number; 0: all.  [100]"
)
@with_client
def list_(client: Client, *, limit: int, as_json: bool, **given: Any) -> None:
    """List signatures, newest first."""
    found: list[Sign] = []
    for each in client.iter_signs(**filters(given)):
        found.append(each)
        if len(found) == limit:
            break
    if as_json:
        show_json(found)
        return
    show_table(
        ["id", "signature", "status", "in use", "version", "submitted"],
        [
            [
                each.sign_id,
                f"【{each.sign}】",
                status(each.status),
                word("yes") if each.in_use else "",
                each.version or "",
                local_time(each.submitted_at),
            ]
            for each in found
        ],
        empty="No such signatures.",
    )


@sign.command()
@_ID
@with_client
def delete(client: Client, *, sign_id: int, as_json: bool) -> None:
    """Delete a signature; one in the audit is withdrawn."""
    client.delete_sign(sign_id)
    show_json({"deleted": sign_id}) if as_json else click.echo(say(f"{sign_id} deleted", f"{sign_id} 已删除"))


@sign.command()
@_ID
@timeout_option
@with_client
def wait(client: Client, *, sign_id: int, timeout_s: float, as_json: bool) -> None:
    """Wait for the decision on a signature.

    Exits with 0 if passed, 1 if refused, 3 if not decided in time.
    """
    _decided(client, sign_id, timeout_s=timeout_s, as_json=as_json)


@sign.command(epilog=types.HELP)
@click.argument("content")
@click.option(
    "--for",
    "sign_id",
    type=click.IntRange(1),
    metavar="ID",
    help="Validate a resubmission of this one.",
)
@submission
@with_client
def check(client: Client, *, content: str, sign_id: int | None, as_json: bool, **given: Any) -> None:
    """Validate a submission without storing it (dry run).

    Exits with 1 if there are errors.
    """
    images, fields = by_slot(given["images"]), texts(given["fields"], given["kind"])
    found = client.check_sign(content, sign_id=sign_id, images=images, **fields)
    show_json(found) if as_json else _show_check(found)
    sys.exit(0 if found.ok else REFUSED)


@sign.command()
@_ID
@with_client
def withdraw(client: Client, *, sign_id: int, as_json: bool) -> None:
    """Withdraw a signature from the audit."""
    client.withdraw_sign(sign_id)
    show_json({"withdrawn": sign_id}) if as_json else click.echo(
        say(f"{sign_id} withdrawn", f"{sign_id} 已撤回")
    )


@sign.command()
@click.argument("which", metavar="ID|none")
@with_client
def use(client: Client, *, which: str, as_json: bool) -> None:
    """Put a passed signature in use, or none."""
    if which == "none":
        client.clear_in_use()
    elif which.isdecimal():
        client.set_in_use(int(which))
    else:
        raise click.BadParameter(word("a sign_id or none"))
    if as_json:
        show_json({"in_use": None if which == "none" else int(which)})
    else:
        click.echo(say(f"in use: {which}", f"使用中：{word(which)}"))


def filters(given: dict[str, Any]) -> dict[str, Any]:
    """Return the filters as keyword arguments of the SDK."""
    return {
        "status": STATES[given["state"]] if given["state"] else None,
        "use_status": 1 if given["in_use"] else None,
        "sign": given["content"],
        "prefix": given["prefix"],
        "since": given["since"].astimezone(UTC) if given["since"] else None,
        "until": given["until"].astimezone(UTC) if given["until"] else None,
    }


def _submitted(client: Client, sign_id: int, *, wait: bool, timeout_s: float, as_json: bool) -> None:
    if wait:
        click.echo(
            say(f"{sign_id} submitted; waiting for the decision", f"{sign_id} 已提交，等待审核"), err=True
        )
        _decided(client, sign_id, timeout_s=timeout_s, as_json=as_json)
    elif as_json:
        show_json({"sign_id": sign_id})
    else:
        click.echo(
            say(
                f"{sign_id} submitted; to wait for the decision: smsign sign wait {sign_id}",
                f"{sign_id} 已提交；等待审核结果：smsign sign wait {sign_id}",
            )
        )


def _decided(client: Client, sign_id: int, *, timeout_s: float, as_json: bool) -> None:
    """Wait for the decision, show it, and exit with its code."""
    try:
        decided = client.wait_until_decided(sign_id, timeout_s)
    except DecisionTimeout as error:
        fail(error, as_json=as_json, known={"sign_id": sign_id, "status": error.sign.status})
    except ClientError as error:
        fail(error, as_json=as_json, known={"sign_id": sign_id})
    show_json(decided) if as_json else click.echo(_line(decided))
    sys.exit(0 if decided.passed else REFUSED)


def _line(found: Sign) -> str:
    why = f"{say(': ', '：')}{found.refuse_reason}" if found.refuse_reason else ""
    return f"{found.sign_id} 【{found.sign}】 {status(found.status)}{why}"


def _show(found: Sign) -> None:
    fields: dict[str, object] = {
        "id": found.sign_id,
        "signature": f"【{found.sign}】",
        "status": status(found.status),
        "in use": word("yes" if found.in_use else "no"),
    }
    if found.refuse_reason:
        fields["reason"] = found.refuse_reason
    show_fields(fields)
    if isinstance(found, SignDetail):
        _show_detail(found)


def _show_detail(found: SignDetail) -> None:
    for version in found.versions:
        title = say(f"version {version.n}", f"版本 {version.n}")
        click.echo(f"\n{title}  【{version.sign}】  {local_time(version.submitted_at)}")
        for name, text in version.fields.items():
            click.echo(f"  {name}: {types.with_word(text) if name == 'type' else text}")
        for image in version.images:
            click.echo(
                f"  {image.slot}: {image.type}, {image.width} × {image.height},"
                f" {image.size_bytes:,} {word('bytes')}"
            )
        if decision := version.decision:
            outcome = word("passed" if decision.passed else "refused")
            click.echo(f"  {outcome} {local_time(decision.decided_at)} {decision.note}".rstrip())
            for reason in decision.reasons:
                click.echo(
                    f"    {reason.code} ({reason.field}): {reason.title}{say('. ', '。')}{reason.advice}"
                )
    click.echo(f"\n{word('timeline')}")
    show_table(
        ["at", "event", "by"],
        [[local_time(each.at), each.kind, each.actor] for each in found.timeline],
        empty="",
    )


def _show_check(found: Check) -> None:
    if found.ok:
        click.secho(word("No errors."), fg="green")
        return
    show_table(
        ["code", "field", "error", "hint"],
        [[each.code, each.field, each.reason or each.message, each.hint] for each in found.problems],
        empty="",
    )

"""`smsign audit …`: decide on signatures from the command line."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from smsign.actions import audits as actions
from smsign.cli import types
from smsign.cli.language import say, word
from smsign.cli.options import actor, now, with_stores
from smsign.cli.output import age, local_time, show_fields, show_json, show_table, status
from smsign.domain.audits import REASONS
from smsign.domain.events import Subject
from smsign.domain.signatures import ID_MAX, Signature
from smsign.errors import NotFound
from smsign.storage.open import Stores
from smsign.storage.rows import events, history
from smsign.storage.rows import signatures as rows

_ID = click.argument("signature_id", metavar="ID", type=click.IntRange(1, ID_MAX))

_REASONS = "\n".join(
    f"{reason.code:<16} {reason.title.en} · {reason.title.zh}" for reason in REASONS.values()
)


@click.group(help=f"List and decide signatures in the audit.\n\nReason codes of a refusal:\n\n\b\n{_REASONS}")
def audit() -> None:
    """List and decide signatures in the audit."""


@audit.command("list")
@click.option(
    "--limit", default=100, metavar="N", type=click.IntRange(1, 10_000), help="Maximum number.  [100]"
)
@with_stores
async def list_(stores: Stores, *, limit: int, as_json: bool) -> None:
    """List the signatures in the audit, oldest first."""
    found = await rows.list_in_audit(stores.db.scan, limit=limit)
    if as_json:
        show_json([_public(each) for each in found])
        return
    at = now()
    show_table(
        ["id", "signature", "app", "version", "waiting for"],
        [
            [each.id, f"【{each.content}】", each.app_id, each.version, age(each.submitted_at, at)]
            for each in found
        ],
        empty="No signatures in the audit.",
    )
    waiting = await rows.count_in_audit(stores.db.scan)
    if waiting > len(found):
        click.echo(
            say(
                f"{len(found)} of {waiting} shown; see --limit.",
                f"共 {waiting} 个，显示 {len(found)} 个；参见 --limit。",
            )
        )


@audit.command()
@_ID
@with_stores
async def show(stores: Stores, signature_id: int, *, as_json: bool) -> None:
    """Show a signature with its versions and decisions.

    Lists the text fields and images of each version, and the timeline of events.
    """
    signature = await _get(stores, signature_id)
    detail = await _detail(stores, signature)
    if as_json:
        show_json(detail)
        return
    show_fields(
        {
            "id": signature.id,
            "signature": f"【{signature.content}】",
            "app": signature.app_id,
            "status": status(signature.status),
        }
    )
    for version in detail["versions"]:
        decision = version["decision"]
        title = say(f"version {version['n']}", f"版本 {version['n']}")
        click.echo(f"\n{title}  【{version['content']}】  {local_time(version['submitted_at'])}")
        for name, text in version["fields"].items():
            click.echo(f"  {name}: {types.with_word(text) if name == 'type' else text}")
        for image in version["images"]:
            click.echo(
                f"  {image['slot']}: {image['type']}, {image['width']} × {image['height']},"
                f" {image['size_bytes']:,} {word('bytes')}, {image['sha256'][:16]}…"
            )
        if decision:
            reasons = ", ".join(decision["reasons"])
            outcome = word("passed") if decision["passed"] else f"{word('refused')}{say(': ', '：')}{reasons}"
            by = say(f" by {decision['actor']}, ", f"，{decision['actor']}，") + local_time(
                decision["decided_at"]
            )
            click.echo(f"  {outcome}{by} {decision['note']}".rstrip())
    click.echo(f"\n{word('timeline')}")
    show_table(
        ["at", "event", "by"],
        [[local_time(event["at"]), event["kind"], event["actor"]] for event in detail["events"]],
        empty="",
    )


@audit.command("pass")
@_ID
@click.option("--note", default="", help="A note for the ledger.")
@with_stores
async def pass_(stores: Stores, signature_id: int, *, note: str, as_json: bool) -> None:
    """Pass a signature.

    It is then put in use, unless its application does that by hand.
    """
    await _decide(stores, signature_id, passed=True, reasons=(), note=note, as_json=as_json)


@audit.command()
@_ID
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="CODE[:FIELD]",
    help="Reason code, with a field unless it is the usual one. May be repeated.",
)
@click.option("--note", default="", help="A note for the owner, shown with the reasons.")
@with_stores
async def refuse(
    stores: Stores, signature_id: int, *, reasons: tuple[str, ...], note: str, as_json: bool
) -> None:
    """Refuse a signature for one or more reasons.

    The codes of the reasons are listed by smsign audit --help.
    """
    await _decide(stores, signature_id, passed=False, reasons=reasons, note=note, as_json=as_json)


async def _decide(
    stores: Stores, signature_id: int, *, passed: bool, reasons: tuple[str, ...], note: str, as_json: bool
) -> None:
    signature = await actions.decide(
        stores.db,
        signature_id=signature_id,
        passed=passed,
        reasons=reasons,
        note=note,
        actor=actor(),
        now=now(),
    )
    if as_json:
        show_json(await _detail(stores, signature))
    else:
        click.echo(f"{signature.id} 【{signature.content}】 {status(signature.status)}")


async def _get(stores: Stores, signature_id: int) -> Signature:
    signature = await rows.find_any(stores.db.read, signature_id)
    if signature is None:
        raise NotFound(f"there is no signature {signature_id}", f"没有签名 {signature_id}")
    return signature


async def _detail(stores: Stores, signature: Signature) -> dict[str, Any]:
    db = stores.db.read
    versions = [
        {
            "n": each.version.n,
            "content": each.version.content,
            "fields": each.version.fields,
            "actor": each.version.actor,
            "submitted_at": each.version.submitted_at,
            "images": [msgspec.structs.asdict(image) for image in each.images],
            "decision": msgspec.structs.asdict(each.decision) if each.decision else None,
        }
        for each in await history.list_(db, signature.app_id, signature.id)
    ]
    timeline = [
        {"seq": event.seq, "kind": event.kind, "at": event.at, "actor": event.actor, "hash": event.hash.hex()}
        for event in await events.list_(db, Subject.SIGNATURE, signature.id)
    ]
    return _public(signature) | {"versions": versions, "events": timeline}


def _public(signature: Signature) -> dict[str, Any]:
    return {
        "sign_id": signature.id,
        "sign": signature.content,
        "status": signature.status,
        "app_id": signature.app_id,
        "version": signature.version,
        "submitted_at": signature.submitted_at,
    }

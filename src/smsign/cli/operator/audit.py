"""`smsign audit …`: decide from the terminal, through the same actions as the desk."""

from __future__ import annotations

from typing import Any

import click

from smsign.actions import audits as actions
from smsign.cli.options import actor, now, stored
from smsign.cli.output import STATUS_WORDS, age, local_time, show_fields, show_json, show_table, status
from smsign.domain.audits import REASONS, Decision
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


@click.group(help=f"See what waits for a decision, and decide.\n\n\b\nReasons for a refusal:\n{_REASONS}")
def audit() -> None:
    """See what waits for a decision, and decide."""


@audit.command("list")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000), help="How many at most.  [100]")
@stored
async def list_(stores: Stores, *, limit: int, as_json: bool) -> None:
    """List the queue, oldest first."""
    found = await rows.list_in_audit(stores.db.scan, limit=limit)
    if as_json:
        show_json([_public(each) for each in found])
        return
    at = now()
    show_table(
        ["id", "signature", "app", "version", "waiting"],
        [
            [each.id, f"【{each.content}】", each.app_id, each.version, age(each.submitted_at, at)]
            for each in found
        ],
        empty="Nothing waits for a decision.",
    )
    waiting = await rows.count_in_audit(stores.db.scan)
    if waiting > len(found):
        click.echo(f"{len(found)} of {waiting} shown; --limit shows more.")


@audit.command()
@_ID
@stored
async def show(stores: Stores, signature_id: int, *, as_json: bool) -> None:
    """Show a signature: its versions, evidence, decisions and timeline."""
    signature = await _get(stores, signature_id)
    told = await _tell(stores, signature)
    if as_json:
        show_json(told)
        return
    show_fields(
        {
            "id": signature.id,
            "signature": f"【{signature.content}】",
            "app": signature.app_id,
            "status": status(signature.status),
        }
    )
    for version in told["versions"]:
        decision = version["decision"]
        click.echo(
            f"\nversion {version['n']}  【{version['content']}】  {local_time(version['submitted_at'])}"
        )
        for name, text in version["fields"].items():
            click.echo(f"  {name}: {text}")
        for image in version["images"]:
            click.echo(
                f"  {image['slot']}: {image['type']}, {image['width']} × {image['height']},"
                f" {image['size_bytes']:,} bytes, {image['sha256'][:16]}…"
            )
        if decision:
            said = "passed" if decision["passed"] else f"refused: {', '.join(decision['reasons'])}"
            when = local_time(decision["decided_at"])
            click.echo(f"  {said} by {decision['actor']}, {when} {decision['note']}".rstrip())
    click.echo("\ntimeline")
    show_table(
        ["at", "event", "by"],
        [[local_time(event["at"]), event["kind"], event["actor"]] for event in told["events"]],
        empty="",
    )


@audit.command("pass")
@_ID
@click.option("--note", default="", help="A note for the ledger.")
@stored
async def pass_(stores: Stores, signature_id: int, *, note: str, as_json: bool) -> None:
    """Pass a signature.

    Its application uses it from now on, unless it switches by hand.
    """
    await _decide(stores, signature_id, passed=True, reasons=(), note=note, as_json=as_json)


@audit.command()
@_ID
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="CODE[:FIELD]",
    help="Why, and of which field if not the usual one; may be repeated.",
)
@click.option("--note", default="", help="A note that the owner reads with the reasons.")
@stored
async def refuse(
    stores: Stores, signature_id: int, *, reasons: tuple[str, ...], note: str, as_json: bool
) -> None:
    """Refuse a signature for one or several coded reasons."""
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
        show_json(await _tell(stores, signature))
    else:
        click.echo(f"{signature.id} 【{signature.content}】 {STATUS_WORDS[signature.status]}")


async def _get(stores: Stores, signature_id: int) -> Signature:
    signature = await rows.find_any(stores.db.read, signature_id)
    if signature is None:
        raise NotFound(f"there is no signature {signature_id}", f"没有签名 {signature_id}")
    return signature


async def _tell(stores: Stores, signature: Signature) -> dict[str, Any]:
    db = stores.db.read
    versions = [
        {
            "n": each.version.n,
            "content": each.version.content,
            "fields": each.version.fields,
            "actor": each.version.actor,
            "submitted_at": each.version.submitted_at,
            "images": _plain(each.images),
            "decision": _decision(each.decision),
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


def _plain(structs: list[Any]) -> list[dict[str, Any]]:
    return [{name: getattr(each, name) for name in each.__struct_fields__} for each in structs]


def _decision(decision: Decision | None) -> dict[str, Any] | None:
    return _plain([decision])[0] if decision else None

"""Edit the texts of a coded reason."""

from __future__ import annotations

from smsign.domain.audits import REASONS
from smsign.domain.events import Kind, Subject
from smsign.domain.signatures import is_text
from smsign.errors import InvalidInput, NotFound, Text
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import events
from smsign.storage.rows import reasons as rows

TEXT_MAX = 300


async def change(db: Database, *, code: str, title: Text, advice: Text, actor: str, now: int) -> None:
    """Set the texts of a reason; earlier refusals with this reason show the new texts too.

    Raises: NotFound for an unknown code, InvalidInput for a text that is empty or too long.
    """
    if code not in REASONS:
        raise NotFound(f"there is no reason {code}", f"没有原因 {code}")
    for name, text in (("title", title), ("advice", advice)):
        if not all(1 <= len(each.strip()) <= TEXT_MAX and is_text(each) for each in (text.en, text.zh)):
            raise InvalidInput(
                f"{name}: 1 to {TEXT_MAX} characters in each language", f"每种语言 1 至 {TEXT_MAX} 个字符"
            )

    async def write(tx: Tx) -> None:
        await rows.put(tx, code, title=title, advice=advice)
        data = {"code": code, "title": [title.en, title.zh], "advice": [advice.en, advice.zh]}
        number = list(REASONS).index(code) + 1
        await events.append(tx, Subject.REASON, number, Kind.REASON_CHANGED, actor=actor, now=now, data=data)

    await db.write(write)

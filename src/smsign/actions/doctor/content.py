"""Checks of the stored data: rows, hash chains, outbox, images."""

from __future__ import annotations

from smsign.actions import ledger
from smsign.actions.blobs import AGE_S
from smsign.actions.doctor.finding import OK, WARNING, WRONG, Context, Finding, about, same, span
from smsign.errors import DamagedImage, NotFound, SmsignError, Text
from smsign.storage.blobs.store import Blobs
from smsign.storage.open import open_blobs
from smsign.storage.rows import health
from smsign.storage.vault import Vault, read_key

DAY_US = 86_400_000_000


async def check_rows(ctx: Context) -> Finding:
    """Check that rows are consistent with each other."""
    wrong = await health.find_inconsistencies(ctx.db.scan)
    if not wrong:
        return Finding("rows", OK, Text("consistent", "一致"))
    fix = Text(
        "see the history: smsign audit show ID, smsign events verify",
        "查看历史：smsign audit show ID、smsign events verify",
    )
    return Finding(
        "rows", WRONG, Text("; ".join(each.en for each in wrong), "；".join(each.zh for each in wrong)), fix
    )


async def check_ledger(ctx: Context) -> Finding:
    """Verify the hash chains of the audit log, their MACs, and the rows that they describe."""
    if key := read_key(ctx.at.key, ctx.at.key_file):
        ctx.db.ledger_key = Vault(bytes.fromhex(key)).ledger_key
    verdict = await ledger.verify(ctx.db, lambda count: ctx.progress("verifying the ledger", count, 0))
    if verdict.fault:
        fix = Text(
            "investigate who edited it; a backup has the original rows", "查明是谁修改的；备份中有原始数据"
        )
        return Finding("ledger", WRONG, same(verdict.fault), fix)
    verified = Text(
        f"{verdict.events:,} events in {verdict.chains:,} hash chains verified",
        f"已校验 {verdict.chains:,} 条哈希链，共 {verdict.events:,} 个事件",
    )
    return Finding("ledger", OK, verified)


async def check_outbox(ctx: Context) -> Finding:
    """Check that deliveries are not stuck."""
    waiting = await health.find_backlog(ctx.rows, ctx.db.scan)
    if waiting is None:
        return Finding("outbox", OK, Text("empty", "空"))
    count, since = waiting
    age = ctx.at.now - since
    what = Text(
        f"{count:,} events to deliver, the oldest for {span(age).en}",
        f"{count:,} 个事件待投递，最早的已等待 {span(age).zh}",
    )
    if age < DAY_US:
        return Finding("outbox", OK, what)
    fix = Text(
        "check that `smsign serve` or a worker runs, and which callback is failing",
        "检查 `smsign serve` 或投递进程是否在运行，以及哪个回调失败",
    )
    return Finding("outbox", WARNING, what, fix)


async def check_images(ctx: Context) -> Finding:
    """Check that all referenced blobs exist, and that unreferenced ones are removed."""
    check, url = "images", ctx.at.blobs_url
    try:
        blobs = open_blobs(url, data=ctx.at.folder)
        await blobs.check()
        missing, stored, orphans = await _compare(ctx, blobs)
        damaged = await _find_damaged(ctx, blobs) if ctx.at.deep else []
    except SmsignError as error:
        fix = Text(
            "check --blobs, its permissions, and the AWS_… variables", "检查 --blobs、其权限以及 AWS_… 变量"
        )
        return Finding(check, WRONG, about(error), fix)
    restore = Text(f"restore them from a backup into {url}", f"从备份恢复到 {url}")
    if missing:
        what = Text(
            f"{len(missing):,} referenced by rows are missing: {missing[0]}",
            f"缺失 {len(missing):,} 张被引用的图片：{missing[0]}",
        )
        return Finding(check, WRONG, what, restore)
    if damaged:
        what = Text(
            f"{len(damaged):,} are not what was stored: {damaged[0]}",
            f"{len(damaged):,} 张图片与保存时不一致：{damaged[0]}",
        )
        return Finding(check, WRONG, what, restore)
    if orphans:
        what = Text(
            f"{orphans:,} older than a day are not referenced by any row",
            f"{orphans:,} 张一天以上的图片未被引用",
        )
        fix = Text(
            "smsign sweep removes them; check that sweep_hours is not 0",
            "smsign sweep 可清理；请检查 sweep_hours 不为 0",
        )
        return Finding(check, WARNING, what, fix)
    exist = f"all referenced by rows exist; {stored:,} in the store"
    return Finding(check, OK, Text(exist, f"被引用的图片都在；共存有 {stored:,} 张"))


async def _compare(ctx: Context, blobs: Blobs) -> tuple[list[str], int, int]:
    """Return the missing blobs, and the numbers of stored and of unreferenced ones."""
    before_s = ctx.at.now / 1e6 - AGE_S
    # The rows are read first: the blobs that they reference exist by then, and are never removed.
    missing = {bytes.fromhex(sha256) async for page in ctx.rows.images() for sha256 in page}
    total, stored, orphans = len(missing), 0, 0
    async for sha256, put_s in blobs.names():
        stored += 1
        if bytes.fromhex(sha256) in missing:
            missing.discard(bytes.fromhex(sha256))
        elif put_s < before_s:
            orphans += 1
        ctx.progress("listing blobs", stored, max(total, stored))
    return sorted(sha256.hex() for sha256 in missing), stored, orphans


async def _find_damaged(ctx: Context, blobs: Blobs) -> list[str]:
    """Read all blobs that rows reference; return those whose bytes are not those of their hash."""
    damaged, done = [], 0
    async for page in ctx.rows.images():
        for sha256 in page:
            try:
                await blobs.get(sha256)
            except DamagedImage:
                damaged.append(sha256)
            except NotFound:
                pass  # reported as missing
            done += 1
        ctx.progress("reading images", done, 0)
    return damaged

"""Checks of the database as a whole: schema, secret key, clock, pages, id sequences."""

from __future__ import annotations

from smsign.actions.doctor.finding import OK, RESTORE, WARNING, WRONG, Context, Finding, about, same, span
from smsign.errors import SmsignError, Text
from smsign.storage.engine.bulk import UNFINISHED
from smsign.storage.engine.migrate import SCHEMA, migrations
from smsign.storage.open import KEY_FINGERPRINT
from smsign.storage.rows import health
from smsign.storage.vault import fingerprint, read_key

CLOCK_SKEW_US = 5_000_000


async def check_schema(ctx: Context) -> Finding:
    """Check that the schema is the current one."""
    check, number, newest = "schema", int(ctx.meta.get(SCHEMA, 0)), max(migrations())
    if not number:
        what = Text("this is not a database of smsign, or an empty one", "不是 smsign 的数据库，或是空的")
        return Finding(check, WRONG, what, Text("create one: smsign serve", "创建：smsign serve"))
    if UNFINISHED in ctx.meta:
        what = Text("a copy into this database is not finished", "向此数据库的复制尚未完成")
        return Finding(check, WRONG, what, Text("run its command again", "再次运行该命令"))
    if number > newest:
        what = Text(f"number {number}, of a newer smsign", f"版本 {number}，来自更新的 smsign")
        return Finding(check, WRONG, what, Text("upgrade smsign", "升级 smsign"))
    if number < newest:
        what = Text(
            f"number {number} of {newest}; the other checks need the newest",
            f"版本 {number}，最新为 {newest}；其他检查需要最新版本",
        )
        fix = Text("smsign migrate, or the next start does it", "运行 smsign migrate，或由下次启动自动迁移")
        return Finding(check, WARNING, what, fix)
    return Finding(check, OK, Text(f"number {number}", f"版本 {number}"))


async def check_key(ctx: Context) -> Finding:
    """Check that the secret key is the one of this database, and protected."""
    check, file = "secret key", ctx.at.key_file
    try:
        key = read_key(ctx.at.key, file)
        in_file = read_key("", file) if ctx.at.key else key
    except (SmsignError, OSError) as error:
        return Finding(check, WRONG, about(error), Text("use the key of this database", "使用此数据库的密钥"))
    if key is None:
        what = Text(f"{file} does not exist", f"{file} 不存在")
        return Finding(check, WRONG, what, Text("restore it from a backup", "从备份恢复"))
    if ctx.meta.get(KEY_FINGERPRINT) not in (None, fingerprint(key)):
        what = Text("this database belongs to another key", "此数据库属于另一密钥")
        return Finding(check, WRONG, what, Text("use that key", "使用该密钥"))
    if file.exists() and file.stat().st_mode & 0o077:
        what = Text(f"{file} is readable for other users", f"其他用户可以读取 {file}")
        return Finding(check, WRONG, what, same(f"chmod 600 {file}"))
    if in_file not in (None, key):
        what = Text(f"the setting overrides {file}, which differs", f"设置覆盖了内容不同的 {file}")
        return Finding(check, WARNING, what, Text(f"remove {file}", f"删除 {file}"))
    return Finding(check, OK, Text("it belongs to this database", "属于此数据库"))


async def check_clock(ctx: Context) -> Finding:
    """Check the clock against the newest event and the database server."""
    check, now = "clock", ctx.at.now
    fix = Text("set the clock: timedatectl set-ntp true", "校准时钟：timedatectl set-ntp true")
    newest = await health.find_newest_event_at(ctx.db.scan) or 0
    if newest - now > CLOCK_SKEW_US:
        ahead = span(newest - now)
        what = Text(f"the newest event is {ahead.en} in the future", f"最新的事件在 {ahead.zh}之后")
        return Finding(check, WRONG, what, fix)
    server = await ctx.db.server_time()
    if server and abs(server - now) > CLOCK_SKEW_US:
        apart = span(abs(server - now))
        what = Text(
            f"the clocks of this machine and the database server are {apart.en} apart",
            f"本机与数据库服务器的时钟相差 {apart.zh}",
        )
        return Finding(check, WARNING, what, fix)
    agrees = Text("agrees with the newest event", "与最新的事件相符")
    both = Text("agrees with the newest event and the database server", "与最新的事件及数据库服务器相符")
    return Finding(check, OK, both if server else agrees)


async def check_integrity(ctx: Context) -> Finding:
    """Run the engine's integrity check."""
    damage = await ctx.db.find_damage()
    if damage:
        return Finding("integrity", WRONG, same("; ".join(damage)), RESTORE)
    return Finding("integrity", OK, Text("the engine finds no damage", "数据库引擎未发现损坏"))


async def check_ids(ctx: Context) -> Finding:
    """Check that the id sequences are ahead of the rows."""
    if again := await health.find_reused_ids(ctx.rows):
        tables = ", ".join(again)
        what = Text(f"{tables}: the next id would be one that exists", f"{tables}：下一个编号已被占用")
        fix = Text(
            "smsign copy into a new database corrects the sequences",
            "用 smsign copy 复制到新数据库可修正序列",
        )
        return Finding("ids", WRONG, what, fix)
    return Finding("ids", OK, Text("no id would be reused", "编号不会重复使用"))

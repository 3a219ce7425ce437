"""The search of the built site finds the words that people type, in both languages.

It is asked through the script that runs in the reader's browser, so tokenizer and ranking are the real ones.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import LANGUAGES, find_node

pytestmark = pytest.mark.process

pytest.importorskip("zensical")
FIRST = 5
"""The page has to be among the first hits."""

WORDS = {
    "en": {
        "how-to/console": [
            "approve",
            "reject",
            "review",
            "login",
            "SSO",
            "single sign-on",
            "2FA",
            "permissions",
        ],
        "how-to/requests": [
            *("error code", "error codes", "retry", "retries", "idempotency", "idempotent", "rate limit"),
            *("rate limiting", "pagination", "page size", "quota", "backoff", "429", "timeout", "polling"),
        ],
        "how-to/ci": ["mock", "sandbox", "emulator", "mock server", "test environment", "pytest"],
        "how-to/receivers": [
            "signature verification",
            "verify signature",
            "webhook signature",
            "hmac",
            "express",
        ],
        "how-to/callbacks": ["webhook", "webhooks", "callback", "resend"],
        "how-to/clients": ["authentication", "java", "php", "go", "sdk"],
        "how-to/backup": ["backup", "restore", "disaster recovery"],
        "how-to/deploy": ["docker", "systemd", "upgrade", "deployment"],
        "how-to/monitor": ["prometheus", "health check", "metrics", "alerting", "logs"],
        "how-to/tls": ["https", "nginx", "certificate", "reverse proxy"],
        "how-to/postgresql": ["high availability", "postgres", "connection pool"],
        "how-to/import": ["csv", "excel", "bulk import", "export"],
        "reference/codes": ["return code", "error code"],
        "reference/calls": ["openapi", "swagger", "replay"],
    },
    "zh": {
        "how-to/console": [
            "审核",
            "通过",
            "批准",
            "驳回",
            "登录",
            "单点登录",
            "两步验证",
            "权限",
            "角色",
            "审批",
        ],
        "how-to/requests": [
            *(
                "错误码",
                "重试",
                "幂等",
                "幂等键",
                "限流",
                "频率限制",
                "配额",
                "分页",
                "翻页",
                "每页条数",
                "游标",
            ),
            *("超时", "退避", "轮询"),
        ],
        "how-to/ci": ["沙箱", "模拟", "模拟器", "测试环境", "mock"],
        "how-to/receivers": ["验签", "签名验证", "签名校验", "重放攻击", "去重"],
        "how-to/callbacks": ["回调", "webhook", "补发", "重放", "重试间隔"],
        "how-to/clients": ["认证", "鉴权", "客户端", "java", "php"],
        "how-to/backup": ["备份", "恢复", "容灾"],
        "how-to/deploy": ["部署", "docker", "容器", "升级"],
        "how-to/monitor": ["监控", "告警", "日志", "指标"],
        "how-to/tls": ["证书", "反向代理", "https"],
        "how-to/postgresql": ["高可用", "集群", "连接池"],
        "how-to/import": ["导入", "导出", "批量", "excel"],
        "reference/codes": ["错误码", "返回码"],
        "reference/calls": ["接口文档", "openapi"],
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_search_finds_the_page_of_a_word(site: Path, language: str) -> None:
    [worker] = (site / language).glob("assets/javascripts/workers/search.*.js")
    command = [find_node(), str(Path(__file__).with_name("search.mjs")), str(worker)]
    queries = sorted({word for words in WORDS[language].values() for word in words})
    printed = subprocess.run(
        [*command, str(site / language / "search.json")],
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {word: [hit.partition(".html")[0] for hit in hits] for word, hits in json.loads(printed).items()}
    missing = {
        word: (page, list(dict.fromkeys(found[word]))[:FIRST])
        for page, words in WORDS[language].items()
        for word in words
        if page not in list(dict.fromkeys(found[word]))[:FIRST]
    }
    assert not missing

"""The lifecycle against a pure model: hypothesis chooses what happens, on both engines."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from smsign import config
from smsign.actions import apps, audits, ledger, sandbox, signatures
from smsign.domain.apps import App
from smsign.domain.signatures import Rules
from smsign.errors import ApiError, InvalidInput, NotFound
from smsign.storage.open import Stores, open_stores
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import signatures as rows

pytestmark = pytest.mark.process

RULES = Rules()
TESTS = ("测试通过", "测试待审", "测试模糊")
AT_ONCE, LATER = 2, 3
"""The test applications among them: decided in the submission's transaction, and by and by."""

CONTENTS = st.sampled_from(["极光推送", "签名", "A1", "太长的签名内容一二三", "", "坏 的", "短", *TESTS])
APPS = st.integers(0, 3)


def _good(content: str) -> bool:
    return content in ("极光推送", "签名", "A1", *TESTS)


class Row:
    """What the model knows of a signature."""

    def __init__(self, app: int, content: str) -> None:
        self.app = app
        self.content = content
        self.status = 0
        self.version = 1
        self.deleted = False


class Lifecycle(RuleBasedStateMachine):
    """Each rule asks the model what must come, then does it on the server."""

    ids = Bundle("ids")
    open_machine: Callable[[], Stores]
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    clock = itertools.count(1_700_000_000_000_000)

    @initialize()
    def begin(self) -> None:
        self.stores = type(self).open_machine()
        self.model: dict[int, Row] = {}
        self.in_use: list[int | None] = [None] * 4
        self.by_hand = [False, True, False, True]
        self.apps: list[App] = [
            type(self).run(
                apps.create(
                    self.stores.db,
                    self.stores.vault,
                    name=f"app{next(self.clock)}",
                    keys=apps.make_keys(),
                    use_by_hand=self.by_hand[n],
                    test_delay_ms={AT_ONCE: 0, LATER: 1000}.get(n),
                    actor="test:model",
                    now=next(self.clock),
                )
            )
            for n in range(4)
        ]

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return type(self).run(work)
        except ApiError as refusal:
            return int(refusal.code)
        except (InvalidInput, NotFound) as error:
            return type(error)

    def _in_audit(self, app: int) -> bool:
        return any(row.app == app and row.status == 0 and not row.deleted for row in self.model.values())

    def _own(self, app: int, sign_id: int) -> Row | None:
        row = self.model.get(sign_id)
        return row if row and row.app == app and not row.deleted else None

    def _decides_itself(self, sign_id: int) -> None:
        row = self.model[sign_id]
        if row.content != "测试待审":
            row.status = 2 if row.content == "测试模糊" else 1
            if row.status == 1 and not self.by_hand[row.app]:
                self.in_use[row.app] = sign_id

    def _submit(self, app: int, content: str, sign_id: int | None) -> Any:
        return self._do(
            signatures.submit(
                self.stores.db,
                self.stores.blobs,
                RULES,
                app=self.apps[app],
                signature_id=sign_id,
                fields={"sign": content},
                uploads=(),
                actor="test:app",
                now=next(self.clock),
            )
        )

    @rule(target=ids, app=APPS, content=CONTENTS)
    def submit(self, app: int, content: str) -> Any:
        answer = self._submit(app, content, None)
        if not _good(content):
            assert answer == (50104 if content else 50007)
        elif self._in_audit(app):
            assert answer == 50103
        else:
            assert answer not in self.model, "an id was given out twice"
            self.model[answer] = Row(app, content)
            if app == AT_ONCE:
                self._decides_itself(answer)
            return answer
        return multiple()

    @rule(app=APPS, sign_id=ids, content=CONTENTS)
    def resubmit(self, app: int, sign_id: int, content: str) -> None:
        answer = self._submit(app, content, sign_id)
        row = self._own(app, sign_id)
        if not _good(content):
            assert answer == (50104 if content else 50007)
        elif row is None:
            assert answer == 50102
        elif self._in_audit(app):
            assert answer == 50103
        elif row.status == 1:
            assert answer == 50102
        else:
            assert answer == sign_id
            row.content, row.status, row.version = content, 0, row.version + 1
            if app == AT_ONCE:
                self._decides_itself(sign_id)

    @rule(sign_id=ids, passed=st.booleans())
    def decide(self, sign_id: int, passed: bool) -> None:
        answer = self._do(
            audits.decide(
                self.stores.db,
                signature_id=sign_id,
                passed=passed,
                reasons=() if passed else ("format",),
                actor="test:auditor",
                now=next(self.clock),
            )
        )
        row = self.model[sign_id]
        if row.deleted:
            assert answer is NotFound
        elif row.status != 0:
            assert answer is InvalidInput
        else:
            row.status = 1 if passed else 2
            assert answer.status == row.status
            if passed and not self.by_hand[row.app]:
                self.in_use[row.app] = sign_id

    @rule(seconds=st.integers(0, 2))
    def time_passes(self, seconds: int) -> None:
        now = next(self.clock) + seconds * 1_000_000
        type(self).run(sandbox.decide_due(self.stores.db, now=now))
        for sign_id, row in self.model.items():
            if row.app == LATER and row.status == 0 and not row.deleted and seconds >= 1:
                self._decides_itself(sign_id)

    @rule(app=APPS, sign_id=ids)
    def delete(self, app: int, sign_id: int) -> None:
        answer = self._do(
            signatures.delete(
                self.stores.db,
                app=self.apps[app],
                signature_id=sign_id,
                actor="test:app",
                now=next(self.clock),
            )
        )
        row = self._own(app, sign_id)
        if row is None:
            assert answer == 50102
        elif self.in_use[app] == sign_id:
            assert answer == 50105
        else:
            assert answer is None
            row.deleted = True

    @rule(app=APPS, sign_id=st.one_of(st.none(), ids))
    def use(self, app: int, sign_id: int | None) -> None:
        answer = self._do(
            apps.use(
                self.stores.db,
                app=self.apps[app],
                signature_id=sign_id,
                actor="test:owner",
                now=next(self.clock),
            )
        )
        row = self._own(app, sign_id) if sign_id else None
        if sign_id is not None and (row is None or row.status != 1):
            assert answer is InvalidInput
        else:
            self.in_use[app] = sign_id

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        for sign_id, row in self.model.items():
            for app in range(4):
                found = type(self).run(rows.find(self.stores.db.read, self.apps[app].id, sign_id))
                if self._own(app, sign_id) is None:
                    assert found is None
                else:
                    assert (found.content, found.status, found.version) == (
                        row.content,
                        row.status,
                        row.version,
                    )
        for app in range(4):
            stored = type(self).run(app_rows.get(self.stores.db.read, self.apps[app].name))
            assert stored.in_use_id == self.in_use[app]

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            verdict = type(self).run(ledger.verify(self.stores.db))
            assert verdict.fault is None


def test_the_lifecycle_matches_the_model(make_database_url: Callable[[Path], str], engine: str) -> None:
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        opened = runner.run(
            open_stores(config.load({"data": folder, "database": make_database_url(data)}, env={}))
        )

        class Machine(Lifecycle):
            open_machine = staticmethod(lambda: opened)
            run = staticmethod(runner.run)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=100 if engine == "sqlite" else 30,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
        runner.run(opened.close())

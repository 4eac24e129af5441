"""What always holds in the life of requests: a model of what was done to the desk, and laws over the real rows."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from dsr import audit, report, requests
from dsr.model import (
    Right,
    Support,
)
from dsr.store import tables
from tests.life_stage import (
    ACTING,
    COOLING_OFF,
    LAWFUL,
    OBJECTION_ALONE,
    STANDING_ALONE,
    STATUSES,
    WITHOUT_PROOF,
    Op,
    Stage,
)
from tests.pages_desk import CODE, NOW


class Laws(RuleBasedStateMachine):
    """The model, what a test reads of the real thing, and the invariants; `tests/life.py` adds the rules."""

    on: ClassVar[Stage]

    @initialize()
    def begin(self) -> None:
        on = self.on
        on.examples += 1
        on.world.clock.now = NOW
        self.people = [f"person{on.examples}.{n}@example.com" for n in (1, 2)]
        self.events = 0
        self.proved: dict[str, datetime] = {}
        self.held: set[str] = set()  # age reports that an agent has held
        self.extended: dict[str, datetime] = {}
        self.due: dict[str, datetime] = {}
        self.seen = 0  # effects that were checked
        self.before: dict[str, str] = {}  # status before the last step of the worker
        self.kept: dict[tuple[str, str], date] = {}
        for fake in on.fakes.values():
            fake.mood, fake.effects, fake.jobs = "works", [], {}
            fake.holds = set(self.people)

    # -- what the test knows of the real thing ------------------------------------------------------------------------

    @property
    def desk(self) -> Any:
        return self.on.world.desk

    def rows(self) -> list[sa.Row[Any]]:
        c = tables.requests.c
        hashes = [self.desk.vault.hash("address", address) for address in self.people]
        with self.desk.db.read() as conn:
            found = conn.execute(
                sa.select(tables.requests).where(c.address_hash.in_(hashes)).order_by(c.received_at, c.reference)
            ).all()
        self.on.references |= {row.reference for row in found}
        return list(found)

    def pick(self, number: int) -> sa.Row[Any] | None:
        rows = self.sorted_rows()
        return rows[number % len(rows)] if rows else None

    def sorted_rows(self) -> list[sa.Row[Any]]:
        return sorted(self.rows(), key=lambda row: (row.received_at, row.right, row.opened_by, row.channel))

    def mails(self, address: str) -> list[tuple[str, dict[str, Any]]]:
        """Key and content of every mail to somebody, oldest first."""
        o = tables.outgoing.c
        with self.desk.db.read() as conn:
            rows = conn.execute(sa.select(tables.outgoing).where(o.kind == "mail").order_by(o.id.desc()).limit(60))
            found = [(r.key, self.desk.vault.open(conn, r.key_id, r.body_enc)) for r in rows if r.body_enc]
        return [(key, mail) for key, mail in reversed(found) if mail and mail["to"] == address]

    def code_for(self, address: str, *, conversation: str = "", reference: str = "") -> str:
        """The living code that was mailed for a conversation or a page; empty if there is none."""
        c = tables.challenges.c
        where = c.reference == reference if reference else c.conversation_id == self.conversation(conversation)
        with self.desk.db.read() as conn:
            newest = conn.execute(sa.select(c.id).where(where).order_by(c.created_at.desc()).limit(1)).scalar()
        texts = [mail["text"] for key, mail in self.mails(address) if key == f"code:{newest}"]
        found = CODE.search(texts[-1]) if texts else None
        return found[1] if found else ""

    def conversation(self, id: str) -> Any:
        c = tables.conversations.c
        hashed = self.desk.vault.hash("conversation", f"intercom\0{id}\0{self.author(id)}")
        with self.desk.db.read() as conn:
            return conn.execute(sa.select(c.id).where(c.external_hash == hashed)).scalar()

    def author(self, id: str) -> str:
        return f"author-of-{id}"

    def name_of(self, conversation: int) -> str:
        return f"{self.on.examples}-{conversation}"

    def verified(self) -> set[str]:
        return {row.reference for row in self.rows() if row.verified_at is not None}

    def unfinished(self) -> list[str]:
        """What is being carried out; not what waits for a decision, a proof, or the end of a hold."""
        holding = {reference for reference, _ in self.kept}
        return [
            f"{row.reference} {row.right} {row.status}"
            for row in self.rows()
            if row.status in ("cooling_off", "in_progress", "partially_completed")
            and row.reference not in holding
            and (row.reference in self.proved or row.right == "unsubscribe")
        ]

    def tasks(self) -> list[sa.Row[Any]]:
        return [r for r in self.receipts() if r.outcome == "manual" and r.status == "in_progress"]

    # -- what always holds ---------------------------------------------------------------------------------------------

    def receipts(self) -> list[sa.Row[Any]]:
        r = tables.receipts.c
        references = [row.reference for row in self.rows()]
        with self.desk.db.read() as conn:
            return list(
                conn.execute(
                    sa.select(tables.receipts)
                    .where(r.reference.in_(references))
                    .order_by(r.processor, r.operation, r.reference)
                )
            )

    def check_effects(self) -> None:
        rights = {row.reference: Right(row.right) for row in self.rows()}
        with self.desk.db.read() as conn:
            several = {reference for reference in rights if requests.get(self.desk, conn, reference).several}
        effects = sorted((e for fake in self.on.fakes.values() for e in fake.effects), key=lambda e: e.at)
        for effect in effects[self.seen :]:
            reference, right, operation = effect.reference, rights[effect.reference], effect.operation
            status = self.before[reference]
            if operation is Op.LIFT:
                begun = [e for e in effects if e.reference == reference and e.operation is Op.RESTRICT]
                assert begun or status in ("withdrawn", "refused", "expired")
                continue
            assert status in ACTING, (status, effect)
            if (right, operation) in WITHOUT_PROOF:
                continue
            if right is Right.AGE_REPORT:
                assert reference in self.held, f"{effect}: nobody decided to hold the account"
                continue
            assert reference in self.proved, f"{effect} before the person was proved"
            assert reference not in several, f"{effect}: nobody knows whose account is meant"
            if operation is Op.ERASE:
                assert effect.at >= self.proved[reference] + COOLING_OFF, f"{effect} inside the cooling-off time"
                until = self.kept.get((reference, effect.processor))
                on = effect.at.astimezone(ZoneInfo(self.desk.policy.controller.timezone)).date()
                assert until is None or on > until, f"{effect} in spite of a hold"
        self.seen = len(effects)

    @invariant()
    def moves_are_lawful_and_the_audit_tells_each(self) -> None:
        a = tables.audit.c
        rows = self.rows()
        with self.desk.db.read() as conn:
            told = conn.execute(
                sa.select(a.reference, a.what, a.details)
                .where(a.reference.in_([row.reference for row in rows]))
                .order_by(a.seq)
            ).all()
        for row in rows:
            mine = [t for t in told if t.reference == row.reference]
            whats = [t.what for t in mine]
            assert whats.count("request.opened") == 1
            status = json.loads(mine[0].details)["status"]
            for t in mine:
                to = t.what.removeprefix("request.")
                if t.what.startswith("request.") and to in STATUSES:
                    came = json.loads(t.details)["from"]
                    assert status == came, f"the audit lacks a move: {status} -> {came} -> {to}"
                    lawful = to in LAWFUL.get(came, "").split()
                    lawful |= row.right == "objection" and (came, to) in OBJECTION_ALONE
                    lawful |= row.right in ("objection", "restriction") and (came, to) == STANDING_ALONE
                    assert lawful, f"{row.right}: {came} -> {to} is not lawful"
                    status = to
            assert status == row.status, f"{row.status} without a row in the audit"
            assert whats.count("request.extended") == (row.reference in self.extended)
            assert whats.count("certificate.issued") <= whats.count("request.completed") + whats.count(
                "request.partially_completed"
            )

    @invariant()
    def a_deadline_moves_by_its_one_extension_alone(self) -> None:
        for row in self.rows():
            first = self.due.setdefault(row.reference, row.due_at)
            assert row.due_at == self.extended.get(row.reference, first)
            assert (row.extended_at is not None) == (row.reference in self.extended)

    @invariant()
    def nothing_ends_while_a_processor_is_not_terminal(self) -> None:
        receipts = self.receipts()
        for row in self.rows():
            mine = [r for r in receipts if r.reference == row.reference]
            if row.status in ("withdrawn", "refused", "expired"):
                open_ = [r for r in mine if r.operation != "lift" and r.status in ("pending", "in_progress")]
                assert not open_, f"{row.status}, and yet {open_}"
            if row.status not in ("completed", "partially_completed"):
                continue
            there = {(r.processor, r.operation) for r in mine}
            assert there >= self.expected(row), f"{row.status} without a receipt: {self.expected(row) - there}"
            if row.status == "completed":
                assert all(r.status in ("completed", "cancelled") for r in mine)
                erased = [r for r in mine if r.operation == "erase" and r.status == "completed"]
                assert all(r.verdict for r in erased), "an erasure that nobody asked after"
            else:
                assert all(r.status != "pending" or r.looks or r.attempts or self.kept_before(r) for r in mine)

    def kept_before(self, receipt: sa.Row[Any]) -> bool:
        """Was a hold on it, so that it is pending once more?"""
        h = tables.holds.c
        with self.desk.db.read() as conn:
            query = sa.select(h.id).where(h.reference == receipt.reference, h.processor == receipt.processor)
            return conn.execute(query).first() is not None

    def expected(self, row: sa.Row[Any]) -> set[tuple[str, str]]:
        """A receipt of each processor for each operation that has a meaning there."""
        proved = row.reference in self.proved
        operations = {
            Right.UNSUBSCRIBE: ("suppress",),
            Right.OBJECTION: ("suppress", "restrict") if proved else ("suppress",),
            Right.AGE_REPORT: ("suppress",),
            Right.ERASURE: ("erase",),
            Right.EXPORT: ("export",),
            Right.ACCESS: ("export",),
            Right.RESTRICTION: ("restrict",),
            Right.RECTIFICATION: ("rectify",),
        }[Right(row.right)]
        return {
            (name, operation)
            for name, fake in self.on.fakes.items()
            for operation in operations
            if fake.supports[Op(operation)] is not Support.NONE or operation == "erase"
        }

    @invariant()
    def gone_means_gone(self) -> None:
        hashes = {self.desk.vault.hash("address", address): address for address in self.people}
        erasures = {row.reference: hashes[row.address_hash] for row in self.rows() if row.right == "erasure"}
        for r in self.receipts():
            if r.operation == "erase" and r.verdict == "gone" and r.processor in self.on.fakes:
                assert erasures[r.reference] not in self.on.fakes[r.processor].holds

    @invariant()
    def receipts_and_effects_stand_in_the_audit(self) -> None:
        """Every completed receipt, and every effect, has its row; nothing was done twice without one."""
        a = tables.audit.c
        receipts = self.receipts()
        with self.desk.db.read() as conn:
            query = sa.select(a.reference, a.who, a.what).where(a.reference.in_({r.reference for r in receipts}))
            told = Counter(tuple(row) for row in conn.execute(query))
        for r in receipts:
            if r.status == "completed" and r.owner is None:
                assert told[r.reference, f"processor:{r.processor}", f"{r.operation}.completed"] >= 1
            elif r.status == "completed":
                assert told[r.reference, r.owner, "task.completed"] >= 1


def check_the_whole(on: Stage) -> None:
    """After all examples: the audit is what was written, and the report counts what the audit tells."""
    desk = on.world.desk
    good, fault = audit.verify(desk, [])
    assert fault is None
    a, q = tables.audit.c, tables.requests.c
    with desk.db.read() as conn:
        assert good == conn.execute(sa.select(sa.func.count()).select_from(tables.audit)).scalar_one()
        opened = conn.execute(sa.select(sa.func.count()).where(a.what == "request.opened")).scalar_one()
        refused = conn.execute(sa.select(sa.func.count()).where(a.what == "request.refused")).scalar_one()
        extended = conn.execute(sa.select(sa.func.count()).where(a.what == "request.extended")).scalar_one()
        first, last = conn.execute(sa.select(sa.func.min(q.received_at), sa.func.max(q.received_at))).one()
    found = report.report(desk, first.date(), last.date() + timedelta(days=1))
    assert found.received == opened
    assert (found.outcomes.get("refused", 0), found.extended) == (refused, extended)
    assert sum(found.refusals.values()) == refused

"""The whole life of requests as a Hypothesis state machine: customers, agents, processors and time, against a model.

The real thing takes the turns, commands, pages' actions and workflow steps, on a real database; the processors are
fakes that succeed, fail, refuse, take their time, or give everything to a person. The model knows only what was done to
the desk (who typed which code where, what an agent was allowed) and what reached the processors.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import rule

from dsr import agents, inbox, outgoing, page_actions, sweep
from dsr import links as links_module
from dsr.messages import ConversationRef, Evidence, InboundMessage
from dsr.model import (
    Right,
)
from dsr.store import tables
from tests.life_laws import Laws
from tests.life_stage import AGENT_OPENS, FAKES, LINK, MOODS, SAY, SELDOM
from workflows import message, request, sending


class Life(Laws):
    """The rules; a test sets `on`."""

    # -- customers -----------------------------------------------------------------------------------------------------

    def say(self, conversation: int, text: str, address: str = "") -> None:
        """A message, taken as the worker takes it."""
        self.events += 1
        id = self.name_of(conversation)
        ref = ConversationRef("intercom", id, self.author(id))
        evidence = Evidence.CLAIM if address else Evidence.NONE
        said = InboundMessage(f"{id}:{self.events}", ref, text, self.on.world.clock(), address, evidence)
        inbox.store(self.desk, "intercom", [said])
        m = tables.messages.c
        with self.desk.db.read() as conn:
            waiting = conn.execute(sa.select(m.id).where(m.event_id == said.event_id)).scalar_one()
        before = self.verified()
        message.handle(self.on.worker, waiting)
        assert self.verified() - before <= self.proving, "somebody was proved who typed no right code here"

    proving: frozenset[str] = frozenset()

    @rule(person=st.integers(0, 1), conversation=st.integers(0, 2), right=st.sampled_from(sorted(SAY)))
    def asks(self, person: int, conversation: int, right: Right) -> None:
        self.say(conversation, SAY[right], self.people[person])

    @rule(person=st.integers(0, 1), conversation=st.integers(0, 2), right=st.sampled_from(sorted(SAY)))
    def asks_and_proves(self, person: int, conversation: int, right: Right) -> None:
        self.on.world.clock.pass_(hours=1)
        self.asks(person, conversation, right)
        self.types_the_code(person, conversation, 0)

    @rule(person=st.integers(0, 1), conversation=st.integers(0, 2))
    def asks_for_a_copy_and_deletion(self, person: int, conversation: int) -> None:
        self.say(conversation, "Send me a copy of all my data and then delete my account.", self.people[person])

    @rule(person=st.integers(0, 1), conversation=st.integers(0, 2), elsewhere=st.integers(0, 3))
    def types_the_code(self, person: int, conversation: int, elsewhere: int) -> None:
        """The right code of a conversation; once in four times in another conversation, where it proves nothing."""
        address = self.people[person]
        code = self.code_for(address, conversation=self.name_of(conversation))
        if not code:
            return
        if elsewhere == 3:
            self.say((conversation + 1) % 3, code)
            return
        id = self.conversation(self.name_of(conversation))
        pending = [r for r in self.rows() if r.conversation_id == id and r.verified_at is None]
        mine = {r.reference for r in pending if r.address_hash == self.desk.vault.hash("address", address)}
        self.proving = frozenset(mine)
        self.say(conversation, code)
        self.proving = frozenset()
        for reference in mine & self.verified():
            self.proved[reference] = self.on.world.clock()

    @rule(conversation=st.integers(0, 2))
    def types_a_wrong_code(self, conversation: int) -> None:
        right = {self.code_for(address, conversation=self.name_of(conversation)) for address in self.people}
        self.say(conversation, next(code for code in ("2345-6789", "9876-5432", "2222-3333") if code not in right))

    @rule(conversation=st.integers(0, 2), seldom=SELDOM)
    def changes_their_mind(self, conversation: int, seldom: bool) -> None:
        if seldom:
            self.say(conversation, "Stop, please cancel my request. I want to keep my account.")

    @rule(person=st.integers(0, 1), newest=st.integers(0, 3), seldom=SELDOM)
    def says_it_was_not_them(self, person: int, newest: int, seldom: bool) -> None:
        tokens = [
            m[2] for _, mail in self.mails(self.people[person]) for m in LINK.finditer(mail["text"]) if m[1] == "not-me"
        ]
        if not tokens or not seldom:
            return
        with self.desk.db.write() as conn:
            link = links_module.find(self.desk, conn, "not_me", tokens[-1 - newest % len(tokens)])
            if link is not None:
                page_actions.stop(self.desk, conn, link)

    @rule(number=st.integers(0, 9), right=st.booleans())
    def types_a_code_on_the_page(self, number: int, right: bool) -> None:
        row = self.pick(number)
        address = next((a for a in self.people if row and row.address_hash == self.desk.vault.hash("address", a)), "")
        code = self.code_for(address, reference=row.reference) if row else ""
        if row is None or row.status != "identity_pending" or not code:
            return
        before = self.verified()
        with self.desk.db.write() as conn:
            page_actions.confirm(self.desk, conn, row.reference, code if right else "2345-6789")
        new = self.verified() - before
        assert new <= ({row.reference} if right else set())
        for reference in new:
            self.proved[reference] = self.on.world.clock()

    # -- agents --------------------------------------------------------------------------------------------------------

    def command(self, agent: str, text: str) -> bool:
        """Type a command; was it done? What was not done must have left no trace."""
        before, verified = self.rows(), self.verified()
        with self.desk.db.write() as conn:
            said = agents.answer(self.desk, conn, agent, text)
        if said.startswith("Not done"):
            assert self.rows() == before, f"{text.split()[0]} was not done, and yet something has changed: {said}"
        assert self.verified() <= verified, "no agent can prove a person"
        return not said.startswith("Not done")

    agent = st.sampled_from(["U1", "U2"])

    @rule(agent=agent, person=st.integers(0, 1), right=st.sampled_from(AGENT_OPENS))
    def agent_opens(self, agent: str, person: int, right: Right) -> None:
        self.command(agent, f"open {self.people[person]} {right}")

    @rule(agent=agent, person=st.integers(0, 1), right=st.sampled_from(AGENT_OPENS))
    def agent_opens_and_the_person_proves(self, agent: str, person: int, right: Right) -> None:
        self.on.world.clock.pass_(hours=1)
        before = {row.reference for row in self.rows()}
        self.command(agent, f"open {self.people[person]} {right}")
        for number, row in enumerate(self.sorted_rows()):
            if row.reference not in before:
                self.types_a_code_on_the_page(number, right=True)

    @rule(agent=agent, number=st.integers(0, 9), verb=st.sampled_from(["approve", "approve", "withdraw", "code"]))
    def agent_decides(self, agent: str, number: int, verb: str) -> None:
        row = self.pick(number)
        if row and self.command(agent, f"{verb} {row.reference}") and verb == "approve" and row.right == "age_report":
            assert row.opened_by != f"agent:{agent}"
            self.held.add(row.reference)

    @rule(agent=agent, number=st.integers(0, 9), cause=st.sampled_from(["complexity", "number"]))
    def agent_extends(self, agent: str, number: int, cause: str) -> None:
        row = self.pick(number)
        if row and self.command(agent, f"extend {row.reference} {cause}"):
            assert row.reference not in self.extended, "extended twice"
            assert self.on.world.clock() <= row.due_at, "extended after the first period"
            self.extended[row.reference] = row.extended_due_at

    @rule(agent=agent, second=agent, number=st.integers(0, 9), seldom=SELDOM)
    def agents_refuse(self, agent: str, second: str, number: int, seldom: bool) -> None:
        """Four eyes: the same agent twice does not refuse."""
        row = self.pick(number)
        if row and seldom:
            self.command(agent, f"refuse {row.reference} A12ManifestlyUnfounded it is the tenth of this week")
            done_ = self.command(second, f"refuse {row.reference} confirm")
            assert not (done_ and agent == second)

    @rule(agent=agent, number=st.integers(0, 9), how=st.sampled_from(["continue", "withdraw"]))
    def agent_unfreezes(self, agent: str, number: int, how: str) -> None:
        row = self.pick(number)
        if row and self.command(agent, f"unfreeze {row.reference} {how}") and how == "continue":
            self.proved.pop(row.reference, None)

    @rule(agent=agent, number=st.integers(0, 9), processor=st.sampled_from(FAKES), days=st.integers(1, 60))
    def agent_holds(self, agent: str, number: int, processor: str, days: int) -> None:
        row, until = self.pick(number), (self.on.world.clock() + timedelta(days=days)).date()
        if row and self.command(agent, f"hold {row.reference} {processor} A17LegalClaims {until.isoformat()}"):
            self.kept[row.reference, processor] = until

    @rule(agent=agent, number=st.integers(0, 9), processor=st.sampled_from(FAKES))
    def agent_releases(self, agent: str, number: int, processor: str) -> None:
        row = self.pick(number)
        if row and self.command(agent, f"release {row.reference} {processor}"):
            self.kept.pop((row.reference, processor), None)

    @rule(agent=agent, number=st.integers(0, 99))
    def agent_ends_a_task(self, agent: str, number: int) -> None:
        if tasks := self.tasks():
            task = tasks[number % len(tasks)]
            assert self.command(agent, f"done {task.reference} {task.processor} {task.operation}")

    # -- processors, time, worker --------------------------------------------------------------------------------------

    @rule(processor=st.sampled_from(FAKES), mood=st.sampled_from(MOODS))
    def a_processor_changes(self, processor: str, mood: str) -> None:
        self.on.fakes[processor].mood = mood

    @rule(hours=st.sampled_from([0.1, 1, 5, 25, 24 * 8, 24 * 31]))
    def time_passes(self, hours: float) -> None:
        self.on.world.clock.pass_(hours=hours)

    @rule(number=st.integers(0, 9))
    def worker_advances(self, number: int) -> None:
        if row := self.pick(number):
            self.before[row.reference] = row.status
            request.advance(self.on.worker, row.reference)
            self.check_effects()

    @rule(hours=st.sampled_from([0, 1, 25]), rounds=st.integers(1, 6))
    def worker_carries_on(self, hours: float, rounds: int) -> None:
        """Everything that is due, an hour apart; replies and mails go out between."""
        self.on.world.clock.pass_(hours=hours)
        for _ in range(rounds):
            self.mail_goes_out()
            for row in self.rows():
                self.before[row.reference] = row.status
                request.advance(self.on.worker, row.reference)
                self.check_effects()
            self.on.world.clock.pass_(hours=1)

    @rule()
    def mail_goes_out(self) -> None:
        for lane in outgoing.waiting_lanes(self.desk):
            sending.deliver(self.on.worker, lane)

    @rule()
    def sweep_passes(self) -> None:
        sweep.once(self.desk)

    def teardown(self) -> None:
        """Once everything works again and the people at the desk do their tasks, what was proved is carried out."""
        for fake in self.on.fakes.values():
            fake.mood = "works"
        for _ in range(8):
            for task in self.tasks():
                assert self.command("U2", f"done {task.reference} {task.processor} {task.operation}")
            self.worker_carries_on(25, 2)
            if not self.unfinished():
                break
        assert not self.unfinished()
        self.moves_are_lawful_and_the_audit_tells_each()
        self.a_deadline_moves_by_its_one_extension_alone()
        self.nothing_ends_while_a_processor_is_not_terminal()
        self.gone_means_gone()
        self.receipts_and_effects_stand_in_the_audit()

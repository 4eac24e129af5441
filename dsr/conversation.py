"""One turn of a conversation, pure: (state, event) -> (state, steps).

Steps are things to say and commands to carry out, in this order. Message text can only propose (threats.md, fact 5):
except for stopping mail, objecting and reporting a child, nothing happens before a code, mailed to the claimed
address, is typed into this same conversation by the same author. Until then, what is said is the same whether or
not anything is held. The bot is silent when nobody asks for a right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from dsr import addresses, change_of_mind, wishes
from dsr.codes import find_codes, wants_code_again, without_codes
from dsr.dialogue import (
    AddChildAddress,
    CheckCode,
    CodeChecked,
    CodeResult,
    HandOver,
    Open,
    Proved,
    Said,
    Say,
    SendCode,
    Stage,
    State,
    Step,
    TellStatus,
    Turn,
    Withdraw,
)
from dsr.model import Right
from dsr.proof import Ladder

__all__ = [
    "AddChildAddress",
    "CheckCode",
    "CodeChecked",
    "CodeResult",
    "HandOver",
    "Open",
    "Proved",
    "Said",
    "Say",
    "SendCode",
    "State",
    "Step",
    "TellStatus",
    "Turn",
    "Withdraw",
    "turn",
]


def turn(state: State, event: Said | CodeChecked, ladder: Ladder) -> Turn:
    """What to do about an event.

    Args:
        ladder: what is asked before a right is carried out.
    """
    return _code_checked(state, event) if isinstance(event, CodeChecked) else _said(state, event, ladder)


def _said(state: State, said: Said, ladder: Ladder) -> Turn:
    detection, signals = said.detection, said.detection.signals
    access_open = said.access_open or Right.ACCESS in state.waiting
    rights = wishes.rights(detection, said.text, access_open=access_open)
    typed = addresses.find_in(said.text)
    if _answers_no(state, said, rights):
        return _rest(state), [Say("nothing_done")]
    codes = find_codes(said.text) if state.awaits_code else []
    takes_back = _takes_back(state, said, rights, with_code=bool(codes))
    if takes_back == "yes":
        return _withdraw(state, said, rights, ladder)
    if takes_back == "ask":
        return _ask(state, said, "delete")
    if codes:
        return state, [CheckCode(tuple(codes), _besides(state, said, rights))]
    if state.awaits_code and (
        wants_code_again(said.text) or (rights and set(rights) <= set(state.waiting) and not typed)
    ):
        claim = Claim(state.address, state.received, state.signed)
        return _ask_for_proof(state, state.waiting, claim, [], [Say("code_sent_again")])
    if "status" in signals and not rights and (state.references or state.awaits_code):
        return state, [TellStatus(state.references)] if state.references else [Say("code_awaited")]
    if state.stage == "child_address" and len(typed) == 1 and not (rights and typed[0] == said.address):
        return _child_address(state, said, rights, ladder)
    if rights:
        state, steps = _asked(state, said, rights, ladder, typed)
        return state, [*steps, *_to_a_person(said, rights)]
    if state.stage == "child_address":
        return _rest(state), []  # the request is open, an agent has it
    if state.stage == "address":
        return _address_given(state, said, ladder)
    return _asks_for_no_right(state, said, ladder)


def _asks_for_no_right(state: State, said: Said, ladder: Ladder) -> Turn:
    detection, signals = said.detection, said.detection.signals
    if detection.unsure:
        intent = detection.unsure[0]
        if state.awaits_code and wishes.asks_for(intent, state.waiting):
            return state, [Say("code_awaited")]
        return _ask(state, said, intent)
    if "rectification" in signals and state.awaits_code:
        # Alone the signal is weak (a telephone number has it): it is a person's to judge, and voids no code.
        if Right.RECTIFICATION in state.waiting:
            return state, [Say("code_awaited")]
        why = "while a code is awaited, the customer may ask for a correction as well"
        return state, [HandOver(why, Right.RECTIFICATION), Say("code_awaited")]
    if "rectification" in signals:
        return _asked(state, said, (Right.RECTIFICATION,), ladder, addresses.find_in(said.text))
    if "human" in signals and (state.stage != "idle" or state.references):
        return state, _to_a_person(said, state.waiting)
    if "status" in signals or "reminder" in signals:
        return state, [HandOver("asks after a request that this conversation does not know"), Say("status_unknown")]
    return state, []


def _to_a_person(said: Said, rights: Sequence[Right]) -> list[Step]:
    if "human" not in said.detection.signals:
        return []
    return [HandOver("the customer asks for a person", rights[0] if rights else None), Say("handed_over")]


def _answers_no(state: State, said: Said, rights: Sequence[Right]) -> bool:
    """Is it a "no" to our own question alone? Asked whether to delete what is open already, a no takes that back."""
    if state.stage != "choose" or rights or not said.detection.signals & {"deny"}:
        return False
    if any(wishes.asks_for(intent, _open(state, said)) for intent in state.asked):
        return False
    return change_of_mind.is_no(said.text) or not (
        "withdraw" in said.detection.signals or change_of_mind.takes_back(said.text)
    )


def _open(state: State, said: Said) -> frozenset[Right]:
    """What could be taken back."""
    return said.open | frozenset(state.waiting if state.awaits_code else ())


def _takes_back(state: State, said: Said, rights: Sequence[Right], *, with_code: bool) -> Literal["yes", "no", "ask"]:
    """Does the person take back what is open?

    A message that asks for rights, or brings the code, takes something back only in clear words. Where it seems to
    ask for the very deletion that is about to begin, and to say no as well, one question is cheaper than either error.
    """
    taken = _open(state, said)
    if not taken:
        return "no"
    # "Do not delete my account" takes back no copy.
    elsewhere = Right.ERASURE not in taken and change_of_mind.says_keep_it(said.text)
    if "withdraw" in said.detection.signals or (not elsewhere and change_of_mind.clearly_takes_back(said.text)):
        return "yes"
    if with_code:
        return "no"
    roughly = change_of_mind.takes_back(said.text) or (state.stage == "choose" and "deny" in said.detection.signals)
    if not rights:
        return "yes" if roughly else "no"
    begun = said.open - set(state.waiting)
    return "ask" if roughly and Right.ERASURE in begun and Right.ERASURE in rights else "no"


def _besides(state: State, said: Said, rights: Sequence[Right]) -> Said | None:
    """What a message with a code asks for besides what waits for the code."""
    more = [r for r in rights if r not in state.waiting]
    if not more:
        return None
    return replace(
        said, text=without_codes(said.text), detection=wishes.without(said.detection, frozenset(state.waiting))
    )


def _keep(state: State, *, stage: Stage, **changes: Any) -> State:
    return replace(state, stage=stage, asked=(), nudges=0, **changes)


def _rest(state: State) -> State:
    """Our question is answered; what was awaited before, a code or an address, stays awaited."""
    return _keep(state, stage="code" if state.awaits_code else "address" if state.waiting else "idle")


def _asked(state: State, said: Said, rights: Sequence[Right], ladder: Ladder, typed: Sequence[str]) -> Turn:
    """Somebody asks for one or more rights.

    Args:
        typed: the addresses in the message that may be the author's.
    """
    steps: list[Step] = []
    why = wishes.why(said.detection)
    if Right.ERASURE in rights and change_of_mind.says_keep_it(said.text):
        rights = [r for r in rights if r is not Right.ERASURE]
        if not rights:
            return _ask(state, said, "delete")
    at = said.at
    if state.stage == "choose" and not state.awaits_code and any(wishes.asks_for(i, rights) for i in state.asked):
        at = state.received  # it was asked for before we asked back
    child = ""
    if Right.AGE_REPORT in rights:
        # A report is about somebody else's account unless the child writes; removing that account is the agent's
        # decision, so a `delete` beside it opens nothing in the reporter's name.
        state, report = _age_report(state, said, why)
        steps.append(report)
        rights = [r for r in rights if r is not Right.AGE_REPORT and (r is not Right.ERASURE or said.of_self)]
        if not rights:
            return state, steps
        child = report.address
    if child and not said.of_self:
        typed = [address for address in typed if address != child]
    asks_for_child = state.stage == "child_address"
    address, problem = _which_address(said, typed)
    signed = said.signed and address == said.address
    if problem == "ask_address" and state.awaits_code:
        address, signed = state.address, state.signed
    if state.waiting and not (address and state.awaits_code):
        # What waits for an address waits on beside the new wish; both count from the earlier message.
        rights = list(dict.fromkeys((*state.waiting, *rights)))
        at = min(state.received, at)
    if not address:
        waiting = tuple(str(r) for r in rights)
        return _keep(state, stage="address", rights=waiting, address="", received=at), [*steps, Say(problem)]
    state, steps = _act(state, rights, Claim(address, at, signed, why), steps, ladder)
    return (replace(state, stage="child_address") if asks_for_child else state), steps


def _ask(state: State, said: Said, intent: str) -> Turn:
    """One short question. A code that is awaited stays awaited, and so does its date."""
    received = state.received if state.waiting else said.at
    return replace(state, stage="choose", asked=(intent,), received=received), [Say(f"ask_{intent}")]


@dataclass(frozen=True)
class Claim:
    """Whose data is meant: the address, since when it was asked, and whether the channel vouches for it."""

    address: str
    at: str
    signed: bool = False
    why: str = ""


def _act(state: State, rights: Sequence[Right], claim: Claim, steps: list[Step], ladder: Ladder) -> Turn:
    """The address is known: stop what can be stopped at once, ask for proof of the rest."""
    for right in rights:
        if ladder.at_once(right):
            steps.append(Open(right, claim.address, claim.at, f"opened_{right}", claim.why))
    proof = tuple(r for r in rights if ladder.wait_for_code(r))
    if not proof:
        # A code that is still awaited for another right stays awaited.
        return _keep(state, stage="code") if state.awaits_code else _keep(state, stage="idle", rights=()), steps
    same = state.awaits_code and claim.address == state.address
    merged = tuple(dict.fromkeys((*state.waiting, *proof))) if same else proof
    if Right.ACCESS in merged:  # its package holds what the other copy would
        merged = tuple(r for r in merged if r is not Right.EXPORT)
    return _ask_for_proof(state, merged, claim, [*steps], _understood(merged))


def _understood(rights: Sequence[Right]) -> list[Step]:
    if Right.ERASURE in rights and not wishes.COPIES.isdisjoint(rights):
        rest = [r for r in rights if r is not Right.ERASURE and r not in wishes.COPIES]
        return [Say("understood_export_erasure"), *(Say(f"understood_{r}") for r in rest), Say("code_sent")]
    return [*(Say(f"understood_{r}") for r in rights), Say("code_sent")]


def _ask_for_proof(state: State, rights: tuple[Right, ...], claim: Claim, first: list[Step], say: list[Step]) -> Turn:
    names = tuple(str(r) for r in rights)
    after = _keep(state, stage="code", rights=names, address=claim.address, received=claim.at, signed=claim.signed)
    return after, [*first, SendCode(rights, claim.address, claim.at, claim.signed), *say]


def _which_address(said: Said, typed: Sequence[str]) -> tuple[str, str]:
    """The address that is claimed, or "" and the question to ask. Never two (attack G12), never a guess."""
    claimed = list(dict.fromkeys([*([said.address] if said.address else []), *typed]))
    if len(claimed) == 1:
        return claimed[0], ""
    return "", "ask_one_address" if claimed else "ask_address"


def _address_given(state: State, said: Said, ladder: Ladder) -> Turn:
    typed = addresses.find_in(said.text)
    if len(typed) == 1:
        return _act(state, state.waiting, Claim(typed[0], state.received), [], ladder)
    if state.nudges:
        return _keep(state, stage="idle", rights=()), [
            HandOver("no usable e-mail address was given"),
            Say("handed_over"),
        ]
    return replace(state, nudges=1), [Say("ask_one_address")]


def _age_report(state: State, said: Said, why: str) -> tuple[State, Open]:
    typed = addresses.find_in(said.text)
    account = typed[0] if len(typed) == 1 else said.address if said.of_self and not typed else ""
    if account:
        return _rest(state), Open(Right.AGE_REPORT, account, said.at, "opened_age_report", why)
    after = _keep(state, stage="child_address")
    return after, Open(Right.AGE_REPORT, "", said.at, "opened_age_report_ask_address", why)


def _child_address(state: State, said: Said, rights: Sequence[Right], ladder: Ladder) -> Turn:
    """The answer to "which account?". What it wants done to that account is the agent's decision."""
    account = addresses.find_in(said.text)[0]
    state = _rest(state)
    steps: list[Step] = [AddChildAddress(account, state.references), Say("thanks_child_address")]
    rights = [r for r in rights if r not in (Right.AGE_REPORT, Right.ERASURE)]
    if rights:
        state, more = _asked(state, said, rights, ladder, typed=())
        return state, [*steps, *more]
    return state, [*steps, *([Say("ask_address")] if state.stage == "address" else [])]


def _withdraw(state: State, said: Said, rights: Sequence[Right], ladder: Ladder) -> Turn:
    """Take back what is open, and go on with what the message asks for instead.

    Of "keep my account, just stop the newsletter" the newsletter is a wish, and of "cancel my deletion", where it is
    read as one for deletion, nothing is.
    """
    taken = _open(state, said)
    rights = [r for r in rights if r not in taken] if taken <= set(rights) else rights
    steps: list[Step] = [Withdraw(state.references, state.awaits_code)]
    state = _keep(state, stage="idle", rights=())
    if not rights:
        return state, steps
    state, more = _asked(state, said, rights, ladder, addresses.find_in(said.text))
    return state, [*steps, *more]


def _code_checked(state: State, checked: CodeChecked) -> Turn:
    if checked.result == "right":
        stage: Stage = "idle" if state.stage == "code" else state.stage
        return replace(state, stage=stage, rights=(), address=""), [Proved(state.waiting, state.address, state.signed)]
    if checked.result == "wrong":
        return state, [Say("code_wrong", {"left": checked.left})]
    return state, [Say(f"code_{checked.result}")]

"""One turn of a conversation, pure: (state, event) -> (state, steps).

Steps are things to say and commands to carry out, in this order. Message text can only propose (threats.md, fact 5):
except for stopping mail, objecting and reporting a child, nothing happens before a code, mailed to the claimed
address, is typed into this same conversation by the same author. Until then, what is said is the same whether or
not anything is held. The bot is silent when nobody asks for a right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from dsr import addresses
from dsr.change_of_mind import takes_back
from dsr.codes import find_codes, wants_code_again
from dsr.model import RIGHT_OF_INTENT, Right
from dsr.proof import Ladder

if TYPE_CHECKING:  # the web process takes no turns: it need not load the detector
    from intents import Detection

Stage = Literal["idle", "choose", "address", "child_address", "code"]
BEYOND_DOUBT = 0.97  # probability; corrections that sound like a wish for a copy reach 0.94


@dataclass(frozen=True)
class State:
    """What the desk remembers of one author in one conversation; kept encrypted.

    Args:
        stage: what we wait for.
        asked: intents that our last question was about.
        rights: rights that wait for an address or for proof.
        address: the claimed address that the code went to.
        references: requests of this conversation, oldest first.
        received: when the waiting rights were asked for (ISO): the legal clock starts there.
        nudges: how often we asked for the address without getting one.
        signed: the channel vouches that the author is the one of `address`.
    """

    stage: Stage = "idle"
    asked: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    address: str = ""
    references: tuple[str, ...] = ()
    received: str = ""
    nudges: int = 0
    signed: bool = False

    @classmethod
    def load(cls, kept: Mapping[str, Any] | None) -> State:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in (kept or {}).items()}
        return cls(**values)

    def dump(self) -> dict[str, Any]:
        return asdict(self)


# ---- events --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """The customer wrote.

    Args:
        text: the new text alone (no quotes, no signature).
        address: normalised address that the channel attached; may be empty.
        at: when, ISO, by the channel's clock.
        of_self: an age report speaks of its author.
        signed: the channel vouches for `address` (a signed-in user, a workspace's confirmed member).
    """

    text: str
    detection: Detection
    address: str
    at: str
    of_self: bool = False
    signed: bool = False


CodeResult = Literal["right", "wrong", "void", "expired"]


@dataclass(frozen=True)
class CodeChecked:
    """The code was compared: `left` tries remain."""

    result: CodeResult
    left: int = 0


# ---- steps ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Say:
    """Say the text with this key of the catalogues."""

    key: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Open:
    """Open a request that needs no proof for its first operation; then say `then` with reference and due date."""

    right: Right
    address: str
    at: str
    then: str
    why: str = ""


@dataclass(frozen=True)
class SendCode:
    """Track the rights as waiting for proof, and mail a code to the address, known or not."""

    rights: tuple[Right, ...]
    address: str
    at: str
    signed: bool = False


@dataclass(frozen=True)
class CheckCode:
    """Compare what was typed with the code of this conversation; the result comes back as `CodeChecked`."""

    codes: tuple[str, ...]


@dataclass(frozen=True)
class Proved:
    """The person is proved for the rights that waited; each is opened and said."""

    rights: tuple[Right, ...]
    address: str
    signed: bool = False


@dataclass(frozen=True)
class Withdraw:
    """Withdraw what can still be withdrawn in this conversation, and void its codes."""

    references: tuple[str, ...]
    pending: bool


@dataclass(frozen=True)
class TellStatus:
    references: tuple[str, ...]


@dataclass(frozen=True)
class AddChildAddress:
    """The address of the account that an age report was about."""

    address: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class HandOver:
    """A person takes over, in the channel the customer is in."""

    why: str
    right: Right | None = None


Step = Say | Open | SendCode | CheckCode | Proved | Withdraw | TellStatus | AddChildAddress | HandOver
Turn = tuple[State, list[Step]]


def turn(state: State, event: Said | CodeChecked, ladder: Ladder) -> Turn:
    """What to do about an event.

    Args:
        ladder: what is asked before a right is carried out.
    """
    return _code_checked(state, event) if isinstance(event, CodeChecked) else _said(state, event, ladder)


def _said(state: State, said: Said, ladder: Ladder) -> Turn:
    detection, signals = said.detection, said.detection.signals
    rights = _rights(detection)
    if "rectification" in signals and rights == (Right.EXPORT,):
        # "Correct the data you hold" sounds a little like "send the data you hold"; "a copy, please, my name is …" is
        # beyond doubt a wish for a copy, and must not be lost for a name that sounds like a correction.
        copy = (Right.EXPORT,) if detection.scores["export"] >= BEYOND_DOUBT else ()
        rights = (*copy, Right.RECTIFICATION)
    if state.stage == "code":
        if codes := find_codes(said.text):
            return state, [CheckCode(tuple(codes))]
        if wants_code_again(said.text) or (
            rights and set(rights) <= set(_waiting(state)) and not addresses.find_in(said.text)
        ):
            claim = Claim(state.address, state.received, state.signed)
            return _ask_for_proof(state, _waiting(state), claim, [], [Say("code_sent_again")])
    if state.references or state.stage == "code":
        if "withdraw" in signals or takes_back(said.text):
            # What the message asks for besides ("keep my account, just stop the newsletter") is only believed of
            # rights that are not being taken back.
            taken = (Right.ERASURE, Right.EXPORT)
            return _withdraw(state, said, [r for r in rights if r not in taken], ladder)
        if "status" in signals and not rights:
            return state, [TellStatus(state.references)] if state.references else [Say("code_awaited")]
    if rights:
        return _asked(state, said, rights, ladder)
    if state.stage == "choose" and "deny" in signals:
        return replace(state, stage="idle", asked=()), [Say("nothing_done")]
    if state.stage in ("address", "child_address"):
        return _address_given(state, said, ladder)
    if detection.unsure:
        return replace(state, stage="choose", asked=detection.unsure[:1], received=said.at), [
            Say(f"ask_{detection.unsure[0]}")
        ]
    if "rectification" in signals:
        return _asked(state, said, (Right.RECTIFICATION,), ladder)
    if "human" in signals and (state.stage != "idle" or state.references):
        waiting = _waiting(state)
        return state, [HandOver("the customer asks for a person", waiting[0] if waiting else None), Say("handed_over")]
    if "status" in signals or "reminder" in signals:
        return state, [HandOver("asks after a request that this conversation does not know"), Say("status_unknown")]
    return state, []


def _rights(detection: Detection) -> tuple[Right, ...]:
    return tuple(RIGHT_OF_INTENT[i] for i in detection.intents)


def _waiting(state: State) -> tuple[Right, ...]:
    return tuple(Right(r) for r in state.rights)


def _why(detection: Detection) -> str:
    """The sentences that led to the decision, for the agent who looks at the request."""
    return " / ".join(dict.fromkeys(detection.reasons.values()))


def _keep(state: State, *, stage: Stage, **changes: Any) -> State:
    return replace(state, stage=stage, asked=(), nudges=0, **changes)


# "Do not delete", where a message was read as asking for deletion (attack G24): the words contradict the reading.
_KEEP_IT = re.compile(
    r"\b(?:(?<!if you )(?:do not|don'?t|never) (?:delete|erase|remove)|nu (?:mai )?(?:m[aă] )?[sșş]terge"
    r"|nicht l[oö]schen|ne supprimez pas|no (?:borre|elimine)n?|non cancell\w+|n[aã]o (?:apague|elimine|exclua)m?"
    r"|niet (?:verwijderen|wissen)|nie usuwa\w+|ne t[oö]r[oö]lj\w*|nemaz\w+|nemojte (?:o?brisati)|radera inte"
    r"|ta inte bort|slet (?:det |den )?ikke)",
    re.IGNORECASE,
)


def _asked(state: State, said: Said, rights: Sequence[Right], ladder: Ladder) -> Turn:
    """Somebody asks for one or more rights."""
    steps: list[Step] = []
    why = _why(said.detection)
    if Right.ERASURE in rights and _KEEP_IT.search(said.text):
        rights = [r for r in rights if r is not Right.ERASURE]
        if not rights:
            return replace(state, stage="choose", asked=("delete",), received=said.at), [Say("ask_delete")]
    if Right.AGE_REPORT in rights:
        # A report is about somebody else's account unless the child writes; removing that account is the agent's
        # decision, so a `delete` beside it opens nothing in the reporter's name.
        state, more = _age_report(state, said, why)
        steps += more
        rights = [r for r in rights if r is not Right.AGE_REPORT and (r is not Right.ERASURE or said.of_self)]
        if not rights:
            return state, steps
    address, problem = _which_address(said)
    if not address:
        waiting = tuple(str(r) for r in rights)
        return _keep(state, stage="address", rights=waiting, received=said.at), [*steps, Say(problem)]
    claim = Claim(address, said.at, signed=said.signed and address == said.address, why=why)
    return _act(state, rights, claim, steps, ladder)


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
        return (state if state.stage == "code" else _keep(state, stage="idle", rights=())), steps
    merged = (
        tuple(dict.fromkeys((*_waiting(state), *proof)))
        if state.stage == "code" and claim.address == state.address
        else proof
    )
    return _ask_for_proof(state, merged, claim, [*steps], _understood(merged))


def _understood(rights: Sequence[Right]) -> list[Step]:
    if Right.ERASURE in rights and Right.EXPORT in rights:
        return [Say("understood_export_erasure"), Say("code_sent")]
    return [*(Say(f"understood_{r}") for r in rights), Say("code_sent")]


def _ask_for_proof(state: State, rights: tuple[Right, ...], claim: Claim, first: list[Step], say: list[Step]) -> Turn:
    names = tuple(str(r) for r in rights)
    after = _keep(state, stage="code", rights=names, address=claim.address, received=claim.at, signed=claim.signed)
    return after, [*first, SendCode(rights, claim.address, claim.at, claim.signed), *say]


def _which_address(said: Said) -> tuple[str, str]:
    """The address that is claimed, or "" and the question to ask. Never two (attack G12), never a guess."""
    typed = addresses.find_in(said.text)
    claimed = list(dict.fromkeys([*([said.address] if said.address else []), *typed]))
    if len(claimed) == 1:
        return claimed[0], ""
    return "", "ask_one_address" if claimed else "ask_address"


def _address_given(state: State, said: Said, ladder: Ladder) -> Turn:
    typed = addresses.find_in(said.text)
    if state.stage == "child_address":
        if len(typed) == 1:
            return _keep(state, stage="idle"), [
                AddChildAddress(typed[0], state.references),
                Say("thanks_child_address"),
            ]
        return _keep(state, stage="idle"), []  # the request is open, an agent has it
    if len(typed) == 1:
        return _act(state, _waiting(state), Claim(typed[0], state.received), [], ladder)
    if state.nudges:
        return _keep(state, stage="idle", rights=()), [
            HandOver("no usable e-mail address was given"),
            Say("handed_over"),
        ]
    return replace(state, nudges=1), [Say("ask_one_address")]


def _age_report(state: State, said: Said, why: str) -> Turn:
    typed = addresses.find_in(said.text)
    account = typed[0] if len(typed) == 1 else said.address if said.of_self and not typed else ""
    if account:
        return _keep(state, stage="idle"), [Open(Right.AGE_REPORT, account, said.at, "opened_age_report", why)]
    return (
        _keep(state, stage="child_address"),
        [Open(Right.AGE_REPORT, "", said.at, "opened_age_report_ask_address", why)],
    )


def _withdraw(state: State, said: Said, rights: Sequence[Right], ladder: Ladder) -> Turn:
    pending = state.stage == "code"
    steps: list[Step] = [Withdraw(state.references, pending)]
    state = _keep(state, stage="idle", rights=())
    if not rights:
        return state, steps
    state, more = _asked(state, said, rights, ladder)
    return state, [*steps, *more]


def _code_checked(state: State, checked: CodeChecked) -> Turn:
    if checked.result == "right":
        return _keep(state, stage="idle", rights=(), address=""), [Proved(_waiting(state), state.address, state.signed)]
    if checked.result == "wrong":
        return state, [Say("code_wrong", {"left": checked.left})]
    return state, [Say(f"code_{checked.result}")]

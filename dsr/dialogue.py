"""What a conversation is made of, as values: what is remembered, what comes in, and the steps that come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dsr.model import Right

if TYPE_CHECKING:  # the web process takes no turns: it need not load the detector
    from intents import Detection

Stage = Literal["idle", "choose", "address", "child_address", "code"]


@dataclass(frozen=True)
class State:
    """What the desk remembers of one author in one conversation; kept encrypted.

    Args:
        stage: what our last question was about.
        asked: intents that our last question was about.
        rights: rights that wait for an address or for proof.
        address: the claimed address that the code went to; empty while it is asked for.
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

    @property
    def waiting(self) -> tuple[Right, ...]:
        return tuple(Right(r) for r in self.rights)

    @property
    def awaits_code(self) -> bool:
        """A code was mailed for the rights that wait. It counts whatever else was asked or told since."""
        return bool(self.rights and self.address)

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
        open: rights of this conversation's requests that taking back would still change.
        access_open: a request for access is open in this conversation.
    """

    text: str
    detection: Detection
    address: str
    at: str
    of_self: bool = False
    signed: bool = False
    open: frozenset[Right] = frozenset()
    access_open: bool = False


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
    """Compare what was typed with the code of this conversation; the result comes back as `CodeChecked`.

    Args:
        then: what the message asks for besides, to be taken as said once the code is compared.
    """

    codes: tuple[str, ...]
    then: Said | None = None


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

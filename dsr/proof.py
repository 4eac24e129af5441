"""The proof ladder: right × evidence × risk → what is asked, read from `proof.toml`. Pure functions over a table."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dsr.errors import ConfigurationError
from dsr.model import OPERATIONS, Operation, Right

DEFAULT = Path(__file__).with_name("proof.toml")

Step = Literal["signed", "code", "second factor", "two agents"]
Risk = Literal["none", "lock", "change", "destroy", "disclose"]
Who = Literal["lawyer", "parent", "heir", "owner"]
Text = Annotated[str, Field(min_length=1)]

# What an operation would do to the wrong person; a table cannot say otherwise.
RISK_OF = {
    Operation.SUPPRESS: "none",
    Operation.RESTRICT: "lock",
    Operation.RECTIFY: "change",
    Operation.ERASE: "destroy",
    Operation.EXPORT: "disclose",
}
_ROWS = {(right, operation) for right, operations in OPERATIONS.items() for operation in operations} | {
    (Right.AGE_REPORT, Operation.RESTRICT)  # a child's account is held
}
_CODE_LIVES = 10  # minutes; a fresh code is the second factor, so it cannot be asked to be younger


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    valid_from: date
    article: Text
    why: Text


class Rung(_Row):
    """What is asked before one operation of one right.

    Args:
        risk: what the operation would do to the wrong person.
        claim: steps asked where the address is only claimed.
        signed: steps asked where the channel vouches for the address.
        valid_from: first day from which the row counts.
        article: law that it follows.
    """

    right: Right
    does: Operation
    risk: Risk
    claim: tuple[Step, ...]
    signed: tuple[Step, ...]


class Standin(_Row):
    """What is asked of somebody who acts for another, or who lost the mailbox.

    Args:
        evidence: kinds that an agent may record as checked.
        needed: how many of them.
        wait_days: between the notice to the address on the records and the approval.
    """

    who: Who
    evidence: tuple[Annotated[str, Field(pattern=r"^[a-z_]+$")], ...]
    needed: int = Field(ge=1)
    wait_days: int = Field(ge=0)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    second_factor_minutes: int = Field(ge=_CODE_LIVES, le=15)
    rung: tuple[Rung, ...]
    standin: tuple[Standin, ...]


@dataclass(frozen=True)
class Ladder:
    """The rows that count today."""

    rungs: tuple[Rung, ...]
    standins: tuple[Standin, ...]
    second_factor_minutes: int

    def asked(self, right: Right, operation: Operation, *, signed: bool = False) -> tuple[Step, ...]:
        """The steps before an operation of a right; KeyError if the right has no such operation."""
        row = {(r.right, r.does): r for r in self.rungs}[right, operation]
        return row.signed if signed else row.claim

    def at_once(self, right: Right) -> bool:
        """Does the right begin without any proof?"""
        return not self.asked(right, OPERATIONS[right][0])

    def wait_for_code(self, right: Right) -> frozenset[Operation]:
        """The operations of a right that wait until the person is proved."""
        return frozenset(r.does for r in self.rungs if r.right is right and "code" in r.claim)

    def second_factor(self, right: Right) -> bool:
        """Is a second factor asked before what was collected is handed out?"""
        return any("second factor" in r.claim for r in self.rungs if r.right is right)

    def proved_by(self, rights: Sequence[Right], *, signed: bool) -> str:
        """What a typed code has proved, as a request says it: `code`, or `signed+code`."""
        return "signed+code" if signed and all(self._counts_signed(right) for right in rights) else "code"

    def _counts_signed(self, right: Right) -> bool:
        return any("signed" in r.signed for r in self.rungs if r.right is right)

    def standin(self, who: Who) -> Standin:
        return next(s for s in self.standins if s.who == who)


def load(path: str | Path = DEFAULT, *, on: date) -> Ladder:
    """Read and check a table.

    Args:
        on: the rows that count on this day.

    Raises:
        ConfigurationError: with all problems at once: it is not readable, has gaps, or asks less than it must or more
            than it may.
    """
    name = Path(path).name
    try:
        table = _Table.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except OSError:
        raise ConfigurationError([f"PROOF_FILE: cannot read {name}"]) from None
    except ValidationError as error:
        raise ConfigurationError(
            f"{name}: {'.'.join(str(x) for x in e['loc'])}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)
        ) from None
    except ValueError as error:
        raise ConfigurationError([f"{name}: is not TOML in UTF-8: {error}"]) from None
    rungs = {(r.right, r.does): r for r in sorted(table.rung, key=lambda r: r.valid_from) if r.valid_from <= on}
    standins = {s.who: s for s in sorted(table.standin, key=lambda s: s.valid_from) if s.valid_from <= on}
    problems = [f"nothing says what {right} × {does} asks" for right, does in sorted(_ROWS - set(rungs))]
    problems += [p for row in rungs.values() for p in _problems(row)]
    problems += [f"nothing says what a {who} shows" for who in get_args(Who) if who not in standins]
    problems += [f"{s.who}: needs more evidence than it names" for s in standins.values() if s.needed > len(s.evidence)]
    slow = standins.get("owner")
    if slow and (slow.needed < 2 or slow.wait_days < 1):
        problems.append("owner: a lost mailbox takes two other proofs and a day of waiting at least")
    if problems:
        raise ConfigurationError(f"{name}: {problem}" for problem in problems)
    return Ladder(tuple(rungs.values()), tuple(standins.values()), table.second_factor_minutes)


def _problems(row: Rung) -> list[str]:
    """Where a row asks less than it must, or more than it may."""
    where = f"{row.right} × {row.does}"
    if (row.right, row.does) not in _ROWS:
        return [f"{where}: this right does no such thing"]
    problems = []
    if row.risk != RISK_OF[row.does]:
        problems.append(f"{where}: the risk is {RISK_OF[row.does]}")
    if row.does is Operation.SUPPRESS:
        if row.claim or row.signed:
            problems.append(f"{where}: stopping mail must have no wall (GDPR Art. 21(3), 12(2))")
        return problems
    by_agents = (row.right, row.does) == (Right.AGE_REPORT, Operation.RESTRICT)
    floor = {"two agents"} if by_agents else {"code", *(["second factor"] if row.risk == "disclose" else [])}
    for column, steps in (("claim", row.claim), ("signed", row.signed)):
        if missing := floor - set(steps):
            problems.append(f"{where}: {column} must ask for {' and '.join(sorted(missing))} (GDPR Art. 12(6), 32)")
        if extra := set(steps) - floor - ({"signed"} if column == "signed" and not by_agents else set()):
            problems.append(f"{where}: {column} cannot ask for {' and '.join(sorted(extra))}")
    return problems

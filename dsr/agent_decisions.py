"""The agents' commands by which a person decides what the law leaves to a person: `/privacy extend`, `refuse`, …"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import sqlalchemy as sa

from dsr import children, commands, extension, forwarding, holds, refusal, requests, unfreezing, unrestricting
from dsr.desk import Desk
from dsr.errors import RequestError

HELP = """`/privacy extend REF complexity|number [NOTE]` two more months, once, inside month one; the person is told
`/privacy refuse REF GROUND REASON` propose a refusal; `/privacy refuse REF confirm` by a second agent sends the letter
`/privacy unfreeze REF continue|withdraw` after "this was not me": a fresh code, or the end
`/privacy lift REF` the person wants a standing restriction lifted: told now, lifted seven days later
`/privacy child REF erase|consent|false` what becomes of a reported child's account; a second agent says the same
`/privacy hold REF PROCESSOR GROUND LAST-DAY [KIND]` keep records on a legal ground; `/privacy release REF PROCESSOR`
`/privacy forward REF CUSTOMER-ACCOUNT` a recipient of that customer's mail asks: tell the customer"""


def extend(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) < 2:
        raise RequestError("say `/privacy extend REF complexity|number [NOTE]`")
    reference = requests.normalise_reference(arguments[0])
    done = extension.extend(desk, conn, agent, reference, arguments[1].lower(), " ".join(arguments[2:]))
    return f"{reference}: {done}."


def refuse(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) < 2:
        raise RequestError("say `/privacy refuse REF GROUND REASON`, or `/privacy refuse REF confirm`")
    reference = requests.normalise_reference(arguments[0])
    if [a.lower() for a in arguments[1:]] == ["confirm"]:
        return f"{reference}: {refusal.confirm(desk, conn, agent, reference)}."
    return f"{reference}: {refusal.propose(desk, conn, agent, reference, arguments[1], ' '.join(arguments[2:]))}."


def unfreeze(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) != 2 or arguments[1].lower() not in ("continue", "withdraw"):
        raise RequestError("say `/privacy unfreeze REF continue`, or `/privacy unfreeze REF withdraw`")
    reference = requests.normalise_reference(arguments[0])
    if arguments[1].lower() == "withdraw":
        commands.withdraw(desk, conn, f"agent:{agent}", reference, 'withdrawn after "this was not me"')
        return f"{reference} is withdrawn."
    return f"{reference}: {unfreezing.go_on(desk, conn, agent, reference)}."


def lift(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise RequestError("say `/privacy lift REF`")
    reference = requests.normalise_reference(arguments[0])
    return f"{reference}: {unrestricting.lift(desk, conn, agent, reference)}."


def hold(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) not in (4, 5):
        raise RequestError("say `/privacy hold REF PROCESSOR GROUND LAST-DAY [KIND]`, the day as 2027-06-30")
    reference, processor, ground = requests.normalise_reference(arguments[0]), arguments[1].lower(), arguments[2]
    kind = arguments[4].lower() if len(arguments) == 5 else ""
    until = parse_day(arguments[3])
    return f"{reference}: {holds.place(desk, conn, agent, reference, processor, ground, until, kind=kind)}."


def release(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) != 2:
        raise RequestError("say `/privacy release REF PROCESSOR`")
    reference = requests.normalise_reference(arguments[0])
    return f"{reference}: {holds.release(desk, conn, agent, reference, arguments[1].lower())}."


def parse_day(text: str) -> date:
    """An ISO date that an agent typed.

    Raises:
        RequestError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestError("give the day as 2027-06-30") from None


def child(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) != 2:
        raise RequestError("say `/privacy child REF erase|consent|false`")
    reference = requests.normalise_reference(arguments[0])
    return f"{reference}: {children.decide(desk, conn, agent, reference, arguments[1].lower())}."


def forward(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) != 2:
        raise RequestError("say `/privacy forward REF CUSTOMER-ACCOUNT`, the customer by its account id")
    reference = requests.normalise_reference(arguments[0])
    return f"{reference}: {forwarding.by_hand(desk, conn, agent, reference, arguments[1])}."


COMMANDS: dict[str, Callable[[Desk, sa.Connection, str, list[str]], str]] = {
    "extend": extend,
    "refuse": refuse,
    "unfreeze": unfreeze,
    "lift": lift,
    "hold": hold,
    "child": child,
    "release": release,
    "forward": forward,
}

"""The agents' commands: `/privacy …` in Slack. Answers are for the agent alone and hold no personal data."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from dsr import acting, agent_decisions, commands, opening, outgoing, receipts, requests
from dsr.desk import Desk
from dsr.errors import RequestError
from dsr.letters import catalogue
from dsr.messages import AgentCommand
from dsr.model import ReceiptStatus, Right
from dsr.store.database import attempt
from dsr.store.tables import requests as requests_table

HELP = f"""*Privacy Desk*
`/privacy list [PAGE]` open requests, the most urgent first
`/privacy show REF` one request: due date, steps, what waits for a person
`/privacy plan REF` a dry run: what every processor holds and would lose, in counts
`/privacy open EMAIL RIGHT` open a request for somebody; proof is asked from that person.
    With `ccpa` behind it the deadlines are California's; with a day (2026-11-20) they count from that receipt.
    Rights: erasure, export, unsubscribe, objection, age_report, rectification, restriction, access
`/privacy code REF` mail the person of a request a code for our page (when those of the chat are used up)
`/privacy approve REF` let a request that waits for an agent go on (four eyes: not the one who opened it)
`/privacy done REF PROCESSOR OPERATION` a manual task is done
`/privacy withdraw REF` stop a request that has not begun
{agent_decisions.HELP}
{acting.HELP}
`/privacy help` this text"""
PAGE = 20  # requests in one answer
READ_ONLY = frozenset({"", "help", "list", "show"})
SORRY = "Sorry, only privacy agents can use this command. Ask your data protection officer to be added."


def is_read_only(text: str) -> bool:
    """Can the command be answered in the response itself, from our own database?"""
    return _words(text)[0] in READ_ONLY


def is_plan(text: str) -> bool:
    """Does the command ask for a dry run? Processors must be asked then, which only the worker can."""
    return _words(text)[0] == "plan"


def to_plan(text: str) -> str:
    """Reference of the request that a dry run is asked for.

    Raises:
        RequestError: none is named.
    """
    return _reference(_words(text)[1:])


def answer(desk: Desk, conn: sa.Connection, agent: str, text: str) -> str:
    """Carry out a command and return what the agent reads; mistakes become a helpful sentence, and leave no trace."""
    verb, *arguments = _words(text)
    command = _COMMANDS.get(verb)
    if command is None:
        return f"I do not know `{verb}`.\n{HELP}"
    try:
        with attempt(conn):
            return command(desk, conn, agent, arguments)
    except RequestError as error:
        return f"Not done: {error}"


def carry_out(desk: Desk, conn: sa.Connection, key_id: str, command: AgentCommand, plan: str = "") -> None:
    """A stored command: act, and answer at its response URL.

    Args:
        plan: the answer to `plan`, for which the processors had to be asked before.
    """
    text = plan or answer(desk, conn, command.agent, command.text)
    outgoing.respond(desk, conn, key_id, command.response_url, text, f"respond:{command.event_id}")


def _words(text: str) -> list[str]:
    words = text.split()
    return [words[0].lower(), *words[1:]] if words else [""]


def _help(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    return HELP


def _list(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) > 1 or not all(x.isascii() and x.isdigit() and 0 < int(x) < 10_000 for x in arguments):
        raise RequestError("say `/privacy list` or `/privacy list 2`")
    page = int(arguments[0]) if arguments else 1
    c = requests_table.c
    open_ = c.status.in_([str(s) for s in requests.OPEN] + ["partially_completed"])
    total = conn.execute(sa.select(sa.func.count()).where(open_)).scalar_one()
    query = sa.select(requests_table).where(open_).order_by(c.due_at, c.reference)
    rows = conn.execute(query.limit(PAGE).offset(PAGE * (page - 1))).all()
    if not rows:
        return "No open requests." if page == 1 else f"There are {total} open requests; they end before that page."
    lines = [
        f"`{row.reference}` {_words_of(row.right)} · {_words_of(row.status)} · {row.address_masked or '(no address)'}"
        f" · {row.channel} · due {_due(desk, row.due_at)}"
        for row in rows
    ]
    if (left := total - PAGE * page) > 0:
        lines.append(f"… and {left} more: `/privacy list {page + 1}`")
    return "\n".join(lines)


def _show(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    request = requests.get(desk, conn, _reference(arguments))
    row = request.row
    lines = [
        f"*{request.reference}* {_words_of(request.right)} · {_words_of(request.status)}"
        f" · {row.address_masked or '(no address)'}",
        f"received {_date(desk, row.received_at)} in {row.channel}, due {_due(desk, row.due_at)}"
        + (f", proved by {row.verified_by}" if request.verified else ", not proved"),
    ]
    steps = receipts.steps(desk, conn, request.reference)
    if request.right in (Right.EXPORT, Right.ACCESS) and steps:
        arrived = sum(s.status is ReceiptStatus.COMPLETED for s in steps)
        lines.append(f"delivered for the package: {arrived} of {len(steps)} processors")
    due_there = {(s.processor, str(s.operation)): s.vendor_ready for s in steps}
    for step in receipts.rows(conn, request.reference):
        state = step.verdict or (f"{step.outcome or ''} {step.status}").strip()
        until = f" until {_due(desk, step.due_at)}" if step.outcome == "manual" and step.status == "in_progress" else ""
        if there := due_there[step.processor, step.operation]:
            state += f", done there by {_date(desk, there)}"
        problem = f" ({step.problem})" if step.problem else ""
        lines.append(f"• {step.processor} {step.operation}: {_words_of(state)}{until}{problem}")
        if until:
            lines.append(f"    {step.note}")
    return "\n".join(lines)


def _open(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    days = [word for word in arguments[2:] if word[:1].isdigit()]
    regimes = [word for word in arguments[2:] if word not in days]
    if len(arguments) < 2 or len(days) > 1 or len(regimes) > 1:
        raise RequestError(
            "say `/privacy open EMAIL RIGHT`, and behind it `ccpa` where Californian law counts,"
            " or the day of receipt (2026-11-20) if it came before today"
        )
    address = re.sub(r"^<mailto:([^|>]+)(\|[^>]*)?>$", r"\1", arguments[0])
    regime, received = (*regimes, "gdpr")[0], (*days, "")[0]
    reference = opening.open_by_agent(desk, conn, agent, address, arguments[1], regime, received)
    request = requests.get(desk, conn, reference)
    how = (
        "started" if request.status != "identity_pending" else "the person has been mailed a code to prove who they are"
    )
    return f"Opened {reference}, due {_due(desk, request.row.due_at)}: {how}."


def _code(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    reference = _reference(arguments)
    if requests.get(desk, conn, reference).status != "identity_pending":
        raise RequestError(f"{reference} waits for no proof")
    if not opening.mail_page_code(desk, conn, reference):
        raise RequestError("this address has had too many codes; try again in an hour")
    return f"{reference}: a code is on its way; it is typed on the page that the mail links."


def _approve(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    reference = _reference(arguments)
    return f"{reference}: {commands.approve(desk, conn, agent, reference)}."


def _withdraw(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    reference = _reference(arguments)
    commands.withdraw(desk, conn, f"agent:{agent}", reference, "withdrawn by an agent for the person")
    return f"{reference} is withdrawn."


def _done(desk: Desk, conn: sa.Connection, agent: str, arguments: list[str]) -> str:
    if len(arguments) != 3:
        raise RequestError("say `/privacy done REF PROCESSOR OPERATION`")
    reference = _reference(arguments)
    commands.complete_task(desk, conn, agent, reference, arguments[1].lower(), arguments[2].lower())
    return f"{reference}: {arguments[2]} at {arguments[1]} is noted as done."


def _reference(arguments: list[str]) -> str:
    if not arguments:
        raise RequestError("which request? Give its reference, like PR-7K3M2Q")
    return requests.normalise_reference(arguments[0])


def _words_of(value: str) -> str:
    return str(value).replace("_", " ")


def _date(desk: Desk, moment: datetime) -> str:
    return catalogue.date(moment, "en", desk.policy.controller.timezone)


def _due(desk: Desk, moment: datetime) -> str:
    return catalogue.due(moment, "en", desk.policy.controller.timezone)


_COMMANDS: dict[str, Callable[[Desk, sa.Connection, str, list[str]], str]] = {
    "": _help,
    "help": _help,
    "list": _list,
    "show": _show,
    "open": _open,
    "code": _code,
    "approve": _approve,
    "withdraw": _withdraw,
    "done": _done,
    **agent_decisions.COMMANDS,
    **acting.COMMANDS,
}

"""`/privacy plan REF`: a dry run for an agent. The worker asks the processors, for Slack waits only three seconds."""

from __future__ import annotations

from dsr import agents, requests
from dsr.errors import RequestError
from integrations import dry_run
from workflows.context import Worker


def answer(worker: Worker, text: str) -> str:
    """What the agent reads: a line for each processor, counts and no values.

    Args:
        text: the command, e.g. `plan PR-7K3M2Q`.
    """
    try:
        reference = agents.to_plan(text)
        with worker.desk.db.read() as conn:
            request = requests.get(worker.desk, conn, reference)
    except RequestError as error:
        return f"Not done: {error}"
    if not request.identities.all:
        return f"{reference}: the address is no longer kept, so nobody can be asked."
    lines = [f"• {held}" for held in dry_run.look(worker.connections.processors, request.identities)]
    return "\n".join([f"*{reference}* what is held now, and an erasure would take (nothing was changed):", *lines])

"""What a workflow works with; set once when the worker starts."""

from __future__ import annotations

from dataclasses import dataclass

from dsr.desk import Desk
from integrations.registry import Connections


@dataclass(frozen=True)
class Worker:
    """Args:
    id: unique and stable: after a restart its own leases end at once.
    """

    id: str
    desk: Desk
    connections: Connections

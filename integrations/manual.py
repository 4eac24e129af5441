"""A processor without a usable API, or without credentials: every step is a tracked task for a person."""

from __future__ import annotations

from collections.abc import Mapping

from dsr.model import Findings, Identities, Operation, Support
from integrations.processor import Processor

# What has no meaning without a mailing or a profile to stop is NONE in the vendor's own table; by hand, all is MANUAL.
BY_HAND = {
    Operation.FIND: Support.MANUAL,
    Operation.EXPORT: Support.MANUAL,
    Operation.ERASE: Support.MANUAL,
    Operation.SUPPRESS: Support.MANUAL,
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.MANUAL,
}

_VERB = {
    Operation.FIND: "look up what is held about",
    Operation.EXPORT: "export everything held about",
    Operation.ERASE: "permanently delete everything held about",
    Operation.SUPPRESS: "stop all promotional messages to",
    Operation.RESTRICT: "restrict the use of the data of",
    Operation.LIFT: "lift the restriction on the data of",
    Operation.RECTIFY: "correct the data of",
}


class ManualProcessor(Processor):
    """Opens a task for each operation.

    Args:
        name: the folder's name.
        label: the policy's name.
        instructions: how a person does it there; operations that it leaves out get a general sentence.
        supports: the vendor's own table, so that what has no meaning there opens no task.
    """

    def __init__(
        self,
        name: str,
        label: str,
        instructions: Mapping[Operation, str] | None = None,
        supports: Mapping[Operation, Support] | None = None,
    ) -> None:
        general = {
            op: f"Sign in to {label} and {verb} this person (search by e-mail address)." for op, verb in _VERB.items()
        }
        self.name = name  # type: ignore[misc]  # an instance stands for one vendor
        self.label = label  # type: ignore[misc]
        self.supports = {  # type: ignore[misc]
            op: Support.NONE if (supports or {}).get(op, Support.MANUAL) is Support.NONE else Support.MANUAL
            for op in BY_HAND
        }
        self.instructions = {**general, **(instructions or {})}  # type: ignore[misc]

    def find(self, subject: Identities) -> Findings:
        return Findings(unknowable=f"{self.label} is not connected: a person looks")

    def check(self) -> None:
        return None

"""MaxMind as a processor: what it holds depends on how it is used.

With a database on our own servers no look-up leaves them, and nothing is held. With the web service or minFraud MaxMind
keeps addresses and transactions that no API finds or deletes, so a person writes to MaxMind.

https://www.maxmind.com/en/privacy-policy, section 11
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from dsr.model import Findings, Identities, Instruction, Operation, Receipt, Support, no_match
from integrations.maxmind.exclusions import ExclusionsApi, write
from integrations.maxmind.settings import MaxmindSettings
from integrations.processor import Processor

if TYPE_CHECKING:
    from dsr.policy import Policy

# With the web service. What it says of an address is nothing about a person, so there is nothing to correct; and it
# sends no mail.
SUPPORTS: Mapping[Operation, Support] = {
    Operation.FIND: Support.MANUAL,
    Operation.EXPORT: Support.MANUAL,
    Operation.ERASE: Support.MANUAL,
    Operation.SUPPRESS: Support.NONE,
    Operation.RESTRICT: Support.MANUAL,
    Operation.LIFT: Support.MANUAL,
    Operation.RECTIFY: Support.NONE,
}
# With a database of our own: known without asking.
SUPPORTS_LOCAL: Mapping[Operation, Support] = {
    **dict.fromkeys(Operation, Support.NONE),
    Operation.FIND: Support.NATIVE,
    Operation.ERASE: Support.NATIVE,
}

INSTRUCTIONS: Mapping[Operation, str] = {
    Operation.FIND: "MaxMind shows no records by person. If minFraud is used, open minFraud Interactive > Transactions "
    "in the MaxMind account and search for the person's e-mail address and IP addresses; note ids and dates.",
    Operation.EXPORT: "The GeoIP web service shows no records: if only that is used, mark this task as done. If "
    "minFraud is used, open minFraud Interactive > Transactions in the MaxMind account, search for the person's e-mail "
    "address and IP addresses, and add what is shown to the package.",
    Operation.ERASE: "1. Collect our account number and, if minFraud is used, the ids and dates of the person's "
    "transactions (minFraud Interactive > Transactions) and the IP addresses that were looked up. 2. Write as "
    "controller to legal@maxmind.com, or to the contact in section 11 of MaxMind's privacy policy: ask for deletion of "
    "these records, or for a written statement on which ground they are kept for fraud prevention. 3. Tell the person "
    "that an objection to the sale of location data is filed with MaxMind directly (link 'Do Not Sell My Personal "
    "Information'). 4. Mark this task as done with the date of MaxMind's answer.",
    Operation.RESTRICT: "Exclude the person's account from look-ups in our own software: call neither the GeoIP web "
    "service nor minFraud for it, or leave out the IP address. Nothing is to be done at MaxMind itself.",
    Operation.LIFT: "Allow look-ups for the person's account again in our own software.",
}
LOCAL = "Look-ups run on a database on our own servers: no request about anybody reaches MaxMind."
UNKNOWABLE = "MaxMind shows no records by person: what its web service logged cannot be asked for"


class MaxmindProcessor(Processor):
    """Tells the truth of the mode, and fetches the privacy exclusions."""

    name: ClassVar[str] = "maxmind"
    label: ClassVar[str] = "MaxMind, Inc"
    supports: ClassVar[Mapping[Operation, Support]] = SUPPORTS
    instructions: ClassVar[Mapping[Operation, str]] = INSTRUCTIONS

    def __init__(self, settings: MaxmindSettings, policy: Policy | None = None) -> None:
        self._local = settings.mode == "local"
        self._file = settings.exclusions_file
        self._api = ExclusionsApi(settings)
        if self._local:
            self.supports = SUPPORTS_LOCAL  # type: ignore[misc]  # an instance stands for one way of use

    def find(self, subject: Identities) -> Findings:
        """With a local database nothing, which needs no look-up: MaxMind never received anything."""
        return Findings() if self._local else Findings(unknowable=UNKNOWABLE)

    def erase(self, instruction: Instruction) -> Receipt:
        return no_match(LOCAL) if self._local else self.by_hand(instruction)

    def daily(self) -> None:
        """Fetch the privacy exclusions. When that fails, yesterday's list stays in the file."""
        if self._file:
            write(self._file, self._api.networks())

    def check(self) -> None:
        """Account and key are good: the list of exclusions can be read."""
        self._api.networks()

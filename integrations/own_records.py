"""The desk's own records as one more holder of the person's data, always connected: it is in no policy and no registry.

Its step of an erasure runs beside the others and leaves what open requests need, the erasure itself included; that part
goes when the last mail is out (`dsr.retention`). The certificate says what is kept: the record of the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from dsr import addresses, own_data
from dsr.desk import Desk
from dsr.model import DataFile, Findings, Identities, Instruction, Operation, Receipt, Residue, Support, done
from integrations.processor import Processor

RECORD = Residue(
    "the record of this request: reference, right, dates, outcomes, and a keyed hash of the address",
    "to show that the law was kept (Art. 5(2) and 17(3)(e) GDPR)",
    kept_by_law=True,
)


class OwnRecords(Processor):
    """Args:
    desk: whose database it is.
    """

    name: ClassVar[str] = own_data.NAME
    label: ClassVar[str] = own_data.LABEL
    supports: ClassVar[Mapping[Operation, Support]] = dict.fromkeys(
        (Operation.FIND, Operation.EXPORT, Operation.ERASE), Support.NATIVE
    )

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def find(self, subject: Identities) -> Findings:
        with self._desk.db.read() as conn:
            held = own_data.find(self._desk, conn, self._whose(subject))
            return Findings(held.counts, residue=(RECORD,))

    def export(self, instruction: Instruction) -> Iterator[DataFile]:
        with self._desk.db.read() as conn:
            yield from own_data.export(self._desk, conn, self._whose(instruction.subject))

    def erase(self, instruction: Instruction) -> Receipt:
        with self._desk.db.write() as conn:
            return done(own_data.erase(self._desk, conn, self._whose(instruction.subject)), residue=(RECORD,))

    def check(self) -> None:
        with self._desk.db.read() as conn:
            own_data.find(self._desk, conn, "")

    def _whose(self, subject: Identities) -> str:
        return self._desk.vault.hash("address", addresses.normalise(subject.email))

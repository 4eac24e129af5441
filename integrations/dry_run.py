"""A dry run: what each processor holds about a person, and would lose by an erasure, in counts."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from dsr.errors import VendorError
from dsr.fulfilment import OWN_DATABASE
from dsr.model import Findings, Identities
from integrations.processor import Processor

PATIENCE = 40.0  # seconds; longer than one call may take with its retries (`transport.TOTAL_DEADLINE`)


@dataclass(frozen=True)
class Held:
    """What one processor told.

    Args:
        counts: kind of record -> how many. Empty and no `problem`: it was asked and holds nothing.
        problem: why nobody knows.
        ambiguous: more than one person may be meant; an agent would have to decide.
    """

    processor: str
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    ambiguous: bool = False

    def __str__(self) -> str:
        if self.problem:
            return f"{self.processor}: {self.problem}"
        counts = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in self.counts.items() if n) or "nothing"
        return f"{self.processor}: {counts}{' (more than one person may be meant)' if self.ambiguous else ''}"


def look(processors: Mapping[str, Processor], subject: Identities, patience: float = PATIENCE) -> list[Held]:
    """Ask every processor, at the same time; nothing is changed anywhere.

    The company's own database is asked first: the others know the person also by the identifiers that stand there.

    Args:
        subject: the address, and what is known besides.
        patience: seconds for the slowest; who has not answered by then is reported so.
    """
    pool = ThreadPoolExecutor(max_workers=len(processors) or 1, thread_name_prefix="dry-run")
    try:
        asked: dict[str, Future[Findings]] = {}
        if OWN_DATABASE in processors:
            asked[OWN_DATABASE] = pool.submit(processors[OWN_DATABASE].find, subject)
            wait(asked.values(), patience)
            first = _told(OWN_DATABASE, asked[OWN_DATABASE])
            if not first.problem and not first.ambiguous:  # of several accounts nobody knows which is meant
                subject = subject.plus(asked[OWN_DATABASE].result().identities)
        asked |= {name: pool.submit(p.find, subject) for name, p in processors.items() if name not in asked}
        wait(asked.values(), patience)
        return [_told(name, asked[name]) for name in processors]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _told(name: str, answer: Future[Findings]) -> Held:
    if not answer.done():
        return Held(name, problem="did not answer in time")
    if error := answer.exception():
        return Held(name, problem=f"did not answer: {error.what if isinstance(error, VendorError) else 'unexpected'}")
    found = answer.result()
    return Held(name, dict(found.held), found.unknowable, found.ambiguous)

"""What works how at which processor, as a Markdown table made from the processors' own tables.

`python -m integrations.matrix` prints it; with `--write` it goes into README.md, between its two marks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dsr import policy as policies
from dsr.model import Operation, Support
from dsr.policy import Policy
from integrations.manual import ManualProcessor
from integrations.registry import VENDORS
from integrations.vendor import Vendor

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- matrix: python -m integrations.matrix --write -->", "<!-- end of matrix -->"
_WORDS: Mapping[Support, str] = {**{s: str(s) for s in Support}, Support.NONE: "–"}


def table(vendors: Sequence[Vendor], policy: Policy) -> str:
    """A row for the own database and for each processor of the policy, in its order; a column for each operation.

    A processor that nothing is connected to is carried out by hand, as the registry does it.
    """
    by_name = {vendor.name: vendor for vendor in vendors if vendor.label}
    named = [("own_database", policy.own_database.label), *((p.name, p.label) for p in policy.processors)]
    rows = [["Processor", *(str(operation) for operation in Operation), "webhooks"]]
    rows.append(["---"] * len(rows[0]))
    for name, label in named:
        supports = _supports(by_name.get(name), name, label)
        cells = [_WORDS[supports.get(operation, Support.NONE)] for operation in Operation]
        rows.append([label, *cells, _webhooks(vendors, name)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _supports(vendor: Vendor | None, name: str, label: str) -> Mapping[Operation, Support]:
    if vendor and vendor.processor:
        return vendor.supports
    return ManualProcessor(name, label, supports=vendor.supports if vendor else None).supports


def _webhooks(vendors: Sequence[Vendor], folder: str) -> str:
    """The channels of a folder: it may have several vendors, named `folder-something`."""
    paths = [path for v in vendors if v.name == folder or v.name.startswith(f"{folder}-") for path in v.channels]
    return ", ".join(f"`{path}`" for path in paths) or "–"


def put_into(document: str, made: str) -> str:
    """The document with the table between its marks.

    Raises:
        ValueError: the marks are not there.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main(arguments: Sequence[str]) -> None:
    """Print the table, or write it into README.md."""
    made = table(VENDORS, policies.load(ROOT / "policy.toml"))
    if "--write" not in arguments:
        print(made)
        return
    readme = ROOT / "README.md"
    readme.write_text(put_into(readme.read_text("utf-8"), made), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

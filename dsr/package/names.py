"""Names of members and cells of a CSV that do no harm where the package is opened. Pure."""

from __future__ import annotations

import json
import re
import unicodedata

# What a spreadsheet passes over before it looks for a formula: spaces, controls, marks and fillers of no width.
_UNSEEN = (
    r"(?:[^\S\t\r\n]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef])"
)
# Where a cell begins: also after what some country's spreadsheet takes for the end of a cell or a row.
_FORMULA = re.compile(rf"\A(?=[\t\r\n])|(?:\A|(?<=[;\t\r\n]))(?={_UNSEEN}*[=+\-@＝＋－＠﹢﹣﹦﹫−])")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
_LONGEST = 120  # characters of one part of a name; file systems take 255 bytes


def safe_name(name: str) -> str:
    """A member's name: below its processor's folder, never above it, and no device of any system."""
    normal = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = [_shortened(re.sub(r"[^\w.\- ]", "_", part).strip(". ")) for part in normal.split("/")]
    parts = [f"_{part}" if part.split(".")[0].strip().lower() in _DEVICES else part for part in parts if part]
    return "/".join(parts) or "file"


def _shortened(part: str) -> str:
    stem, dot, ending = part.rpartition(".")
    if len(part) <= _LONGEST:
        return part
    return f"{stem[: _LONGEST - len(ending) - 1]}.{ending}" if dot and len(ending) < 10 else part[:_LONGEST]


class Names:
    """The names of one folder: no two that some file system takes for the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str, *, rows: bool) -> str:
        """A safe name like the one that is wanted; for rows it ends in `.json` and keeps a CSV and a schema free."""
        name = safe_name(wanted)
        if rows and not name.endswith(".json"):
            name += ".json"
        stem, dot, ending = name.rpartition(".")
        if not dot or "/" in ending:
            stem, ending = name, ""
        number = 1
        while True:
            name = (stem if number == 1 else f"{stem} ({number})") + (f".{ending}" if ending else "")
            wants = {n.casefold() for n in ((name, csv_name(name), schema_name(name)) if rows else (name,))}
            if not wants & self._taken:
                self._taken |= wants
                return name
            number += 1


def csv_name(name: str) -> str:
    return f"{name.removesuffix('.json')}.csv"


def schema_name(name: str) -> str:
    return f"{name.removesuffix('.json')}.schema.json"


def safe_cell(value: object) -> str:
    """A CSV cell that no spreadsheet runs as a formula (OWASP: CSV injection); the JSON beside it is lossless.

    An apostrophe is put before what would be one, also behind a `;`, a tab or a new line: a spreadsheet set to German,
    Romanian, French or Spanish parts the cells of a file at `;`, and then a quotation mark inside protects nothing.
    """
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False, default=str)
    if value is None or isinstance(value, (int, float)):
        return "" if value is None else str(value)
    return _FORMULA.sub("'", str(value))

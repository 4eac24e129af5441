"""The subject of the mail or ticket with which somebody begins: their own words, and often all of them.

The subject of an answer or of a forwarded mail is somebody else's, most often ours, and is never read.
"""

from __future__ import annotations

import re
from functools import cache

from dsr.letters import catalogue

# What mail programs put before it, in the languages of the detector: "Re:", "[Extern] AW:", "Fwd[2]:".
_ANSWERED = re.compile(
    r"\s*(?:\[[^\]]*\]\s*)*"
    r"(?:re|r|ré|rép|res|resp|rsp|r[aă]sp(?:uns)?|ref|rif|ri|aw|antw(?:ort|oord)?|odp|odg|sv|vs|vá|ynt"
    r"|fwd?|wg|tr|rv|reenv|enc|i|inoltra|doorst|pd|vb|vl|prosl|tov[aá]bb[ií]tva|p[rř]ed[aá]no|red[ií]r|transf)"
    r"\s*(?:\[\d+\]|\(\d+\)|\d+)?\s*[:\uff1a]",
    re.IGNORECASE,
)


def read(subject: str, text: str) -> str:
    """What a first message's subject adds to its text; "" if it adds nothing or is not its author's.

    Args:
        subject: as the channel gives it.
        text: of the message. Some channels make the subject of its first words.
    """
    line = " ".join(subject.split())
    if _ANSWERED.match(line) or _ours().fullmatch(line):
        return ""
    return "" if " ".join(text.split()).startswith(line.rstrip(".…")) else line


@cache
def _ours() -> re.Pattern[str]:
    """Every subject that we write, whatever stands in its places."""
    subjects = {
        " ".join(text.split())
        for language in catalogue.LANGUAGES
        for key, text in catalogue.texts(language).items()
        if key.startswith("mail.") and key.endswith("_subject")
    }
    shapes = (".+".join(map(re.escape, catalogue.PLACEHOLDER.split(subject)[::2])) for subject in subjects)
    return re.compile("|".join(sorted(shapes)), re.IGNORECASE)

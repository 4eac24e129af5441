"""Does somebody with an open request take it back? Asked only in a conversation that has one.

Broad on purpose: taking back is the safe direction (nothing is destroyed, and asking again costs one message), and
here the context is known, which a classifier of single messages has not.
"""

from __future__ import annotations

import re

# A line or two a language: en ro de fr es it pt nl pl hu cs hr sv da.
_TAKES_BACK = re.compile(
    r"\b(?:"
    + "|".join(
        (
            r"actually,? no|on second thoughts?|changed my mind|never ?mind|forget (?:it|about it)|withdraw|undo",
            r"cancel(?=\W*$)|cancel (?:it|that|this|(?:my|the) (?:request|deletion|erasure|export|objection))",
            r"(?:do not|don'?t|dont) (?:delete|erase|remove|do it)|keep (?:my|the|it|everything)",
            r"stop (?:it|that|this)\b",
            r"m-am r[aă]zg[aâ]ndit|de fapt,? nu|renun[tțţ]|anul(?:ez|a[tțţ]i|eaz[aă])",
            r"nu (?:mai )?(?:[sșş]terge|vreau)|p[aă]stra[tțţ]i|l[aă]sa[tțţ]i|nu,? l[aă]sa",
            r"doch nicht|anders [uü]berlegt|abbrechen|zur[uü]ckziehen|ziehe .{0,40}zur[uü]ck",
            r"(?:bitte )?nicht l[oö]schen|behalten|lieber nicht|vergessen sie es",
            r"finalement,? non|chang[eé] d.avis|annul(?:ez|er|e)|ne supprimez pas|laissez tomber|gardez",
            r"je (?:retire|renonce)",
            r"mejor no|cambiado de (?:opini[oó]n|idea)|cancel(?:e|en|ar|a|o)(?=\W*$)|anul(?:e|en|ar)",
            r"no (?:borre|borren|elimine|eliminen)|conserven?|d[eé]jenlo",
            r"anzi,? no|cambiato idea|annull\w+|non cancell\w+|lasci(?:ate)? (?:stare|perdere)|ritiro",
            r"afinal,? n[aã]o|mudei de ideias?|cancel(?:ar|e|em)(?=\W*$)|desist[oi]|mantenham",
            r"n[aã]o (?:apague|apaguem|elimine|exclua)",
            r"toch (?:maar )?niet|van gedachten veranderd|annuleer|niet (?:verwijderen|wissen)",
            r"intrekken|trek .{0,30} in\b|laat maar",
            r"jednak nie|rozmy[sś]li[lł]\w+|anuluj\w*|nie usuwa\w+|wycofuj\w+|rezygnuj\w+",
            r"m[eé]gsem|meggondoltam|visszavon\w+|ne t[oö]r[oö]lj\w*|m[eé]gse",
            r"rozmyslel\w*|nakonec ne|zru[sš]\w+|nemaz\w+|beru zp[eě]t|nechte",
            r"ipak ne|predomisli\w+|otka[zž]\w+|odustaj\w+|poni[sš]t\w+|nemojte (?:brisati|obrisati)",
            r"[aå]ngrat mig|[aå]ngrar mig|avbryt|radera inte|ta inte bort|[aå]terkalla\w*|beh[aå]ll",
            r"fortrudt|fortryder|annull[eé]r\w*|slet (?:det |den )?ikke|alligevel ikke|behold",
            r"tr[aæ]kker .{0,30}tilbage",
        )
    )
    + r")",
    re.IGNORECASE,
)
_BARE_NO = re.compile(
    r"\W*(?:no|nope|nu|nein|non|n[aã]o|nee|nie|nem|ne|nej)"
    r"(?:,? (?:thanks?|mersi|mul[tțţ]umesc|danke|merci|gracias|grazie))?\W*",
    re.IGNORECASE,
)
_LONGEST = 300  # characters; a longer text is a message of its own, and the detector's to judge


def takes_back(text: str) -> bool:
    """True if the text, said by somebody whose request is open, reads as "no, don't"."""
    if len(text) > _LONGEST:
        return False
    return bool(_BARE_NO.fullmatch(text) or _TAKES_BACK.search(text))

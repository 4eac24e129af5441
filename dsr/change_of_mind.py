"""Does somebody with an open request take it back? Asked only in a conversation that has one.

Taking back is the safe direction (nothing is destroyed, and asking again costs one message), so a message that asks
for nothing is read broadly. One that asks for a right takes something back only in clear words: "do not keep my data"
beside "delete my account" takes back nothing.
"""

from __future__ import annotations

import re

# "Do not delete" in so many words: where a message was read as asking for deletion, they contradict the reading
# (attack G24). A threat in case we do not is no such word.
_KEEP_IT = "|".join(
    (
        r"(?<!if you )(?:do not|don'?t|dont|never) (?:delete|erase|remove)",
        r"(?<!dac[aă] )nu (?:mai )?(?:m[aă] )?[sșş]terge|nicht l[oö]schen|(?<!si vous )ne supprimez pas",
        r"no (?:borre|elimine)n?|(?<!se )non cancell\w+|n[aã]o (?:apague|elimine|exclua)m?",
        r"niet (?:verwijderen|wissen)|nie usuwa\w+|ne t[oö]r[oö]lj\w*|nema[zž]\w+|nemojte (?:o?brisati)",
        r"radera inte|ta inte bort|slet (?:det |den )?ikke",
    )
)
# In clear words; a line or two a language: en ro de fr es it pt nl pl hu cs hr sv da.
_CLEARLY = "|".join(
    (
        r"actually,? no(?:$|\W)|on second thoughts?|changed my mind|never ?mind(?=\W*$)|forget (?:it|about it)(?=\W*$)",
        r"stop (?:it|that|this)(?=\W*(?:please|now)?\W*$)",
        r"(?<!not )(?<!n't )cancel(?:(?=\W*$)| (?:it|that|this)\b)",
        r"(?<!not )(?<!n't )keep (?:my|the) (?:account|profile)|no longer want (?:my|the) \w+ (?:deleted|erased)",
        r"(?:do not|don'?t|dont|no longer) want (?:you )?to (?:delete|erase)",
        r"m-am r[aă]zg[aâ]ndit|de fapt,? nu|anul(?:ez|a[tțţ]i|eaz[aă])(?=\W*$)|(?<!nu )p[aă]str\w+ contul",
        r"nu (?:mai )?(?:vreau|doresc) (?:s[aă] )?(?:[iî]mi |m[aă] )?[sșş]terg",
        r"anders [uü]berlegt|abbrechen(?=\W*$)|(?:konto|profil) behalten|verwijder .{0,25}(?:toch|maar) niet",
        r"finalement,? non|chang[eé] d.avis|annul(?:ez|er|e)(?=\W*$)|gard(?:er|ez) mon compte",
        r"mejor no|cambiado de (?:opini[oó]n|idea)|cancel(?:e|en|ar|a|o)(?=\W*$)|(?:conservar|mantener) mi cuenta",
        r"anzi,? no|cambiato idea|annulla(?:te)?(?=\W*$)|tenere il mio account",
        r"afinal,? n[aã]o|mudei de ideias?|cancel(?:ar|e|em)(?=\W*$)|manter a minha conta",
        r"van gedachten veranderd|annuleer(?=\W*$)|jednak nie|rozmy[sś]li[lł]\w+|anuluj[eę]?(?=\W*$)",
        r"zachowa\w+ konto|meggondoltam|m[eé]gsem|visszavon\w+(?=\W*$)|rozmyslel\w*|nakonec ne",
        r"zru[sš](?:te|it)(?=\W*$)|predomisli\w+|ipak ne|odustajem|zadr[zž]a\w+ ra[cč]un",
        r"[aå]ngra(?:t|r) mig|avbryt(?=\W*$)|beh[aå]lla? (?:mitt )?konto|fortrudt|fortryder|beholde? (?:min )?konto",
    )
)
# "Cancel my account's deletion", in that order; a deletion is named, so the verb does not ask for one.
_STOP = (
    r"cancel\w*|stop\w*|undo|abort|halt|revoke|withdraw\w*|forget|anul\w+|renun[tțţ]\w*|opri[tțţ]\w*|retrag\w*"
    r"|annul\w+|arr[eê]te\w*|det[eé]n\w*|interromp\w+|ritir\w+|ziehe|brechen sie|anuluj\w*|wstrzyma\w*|wycof\w*"
    r"|rezygnuj\w*|vonj[aá]\w*|[aá]ll[ií]ts\w*|zru[sš]\w+|zastav\w+|odustaj\w*|otka[zž]\w+|avbryt\w*"
)
_NOT = r"(?<!not )(?<!n't )(?<!nu )(?<!nicht )"
_AND = r"(?!(?:and|[sșş]i|und|et|y|e|en|i|[eé]s|och|og)\b)"
_THE_DELETION = (
    r"deletion|deleting|erasure|erasing|export|objection|request|[sșş]terger\w+|cerere\w*"
    r"|l[oö]sch(?:ung|antrag|anfrage|auftrag)\w*|suppression|effacement|eliminaci[oó]n|borrado|supresi[oó]n"
    r"|cancellazione|eliminazione|elimina[cç][aã]o|exclus[aã]o|verwijdering|usuni[eę]ci\w+|skasowani\w*|t[oö]rl[eé]s\w*|smaz[aá]n[ií]\w*|v[yý]maz\w*|brisanj\w+"
    r"|radering\w*|sletning\w*"
)
_STOPS_IT = (
    rf"{_NOT}(?:{_STOP})(?:\s+{_AND}[\w'’]+){{0,4}}?\s+(?:\w+['’])?(?:{_THE_DELETION})\b"
    r"|l[oö]schung\w* (?:\w+ ){0,3}?(?:abbrechen|stoppen|stornieren)"
)
# Where nothing is asked for, this will do.
_ROUGHLY = "|".join(
    (
        r"never ?mind|forget (?:it|about it)|withdraw|undo|actually,? no|(?:do not|don'?t|dont) do it",
        r"(?<!not )(?<!n't )keep (?:my|the|it|everything)|stop (?:it|that|this)\b",
        r"renun[tțţ]|anul(?:ez|a[tțţ]i|eaz[aă])|nu (?:mai )?vreau|(?<!nu )p[aă]stra[tțţ]i",
        r"l[aă]sa[tțţ]i|nu,? l[aă]sa",
        r"doch nicht|abbrechen|zur[uü]ckziehen|ziehe .{0,40}zur[uü]ck|behalten|lieber nicht|vergessen sie es",
        r"annul(?:ez|er|e)|laissez tomber|gardez|je (?:retire|renonce)",
        r"anul(?:e|en|ar)|no (?:borre|borren|elimine|eliminen)|conserven?|d[eé]jenlo",
        r"annull\w+|lasci(?:ate)? (?:stare|perdere)|ritiro|desist[oi]|mantenham",
        r"toch (?:maar )?niet|annuleer|intrekken|trek .{0,30} in\b|laat maar",
        r"anuluj\w*|wycofuj\w+|rezygnuj\w+|visszavon\w+|m[eé]gse",
        r"zru[sš]\w+|beru zp[eě]t|nechte|otka[zž]\w+|odustaj\w+|poni[sš]t\w+",
        r"avbryt|[aå]terkalla\w*|beh[aå]ll|annull[eé]r\w*|alligevel ikke|behold|tr[aæ]kker .{0,30}tilbage",
    )
)


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})", re.IGNORECASE)


_KEEP = _words(_KEEP_IT)
_CLEAR = _words(_KEEP_IT, _CLEARLY, _STOPS_IT)
_ROUGH = _words(_KEEP_IT, _CLEARLY, _STOPS_IT, _ROUGHLY)
_BARE_NO = re.compile(
    r"\W*(?:no|nope|nu|nein|non|n[aã]o|nee|nie|nem|ne|nej)"
    r"(?:,? (?:thanks?(?: you)?|mersi|mul[tțţ]umesc|nu vreau|danke|merci|gracias|grazie))?\W*",
    re.IGNORECASE,
)
_LONGEST = 300  # characters; a longer text is a message of its own, and the detector's to judge


def is_no(text: str) -> bool:
    """A bare no: where a question of ours stands before it, the answer to that."""
    return bool(_BARE_NO.fullmatch(text))


def says_keep_it(text: str) -> bool:
    """True if the text says "do not delete" in so many words."""
    return bool(_KEEP.search(text))


def clearly_takes_back(text: str) -> bool:
    """True if the text, said by somebody whose request is open, says "no, don't" whatever else it asks for."""
    return len(text) <= _LONGEST and bool(_CLEAR.search(text))


def takes_back(text: str) -> bool:
    """True if the text, said by somebody whose request is open, reads as "no, don't"."""
    return len(text) <= _LONGEST and (is_no(text) or bool(_ROUGH.search(text)))

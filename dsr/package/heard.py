"""Names of others that a file tells, found again in its texts: in any case, with and without accents. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Container

from dsr.package.fields import AGENTS, PERSON, SELF, fold, words

MOST = 20_000  # names of one file: what memory allows; beyond them a name is replaced in its own field alone

_TOKEN = re.compile(r"[^\W\d_]+")
_BETWEEN = re.compile(r"[^\w\n]{1,3}|_")
# In lower case these are hardly anybody's name, though somebody bears it.
_EVERYDAY = (
    PERSON
    | SELF
    | AGENTS
    | words(
        "another person anybody company contact customers data example info list mail marketing office sales team test "
        "admin home main new srl ltd gmbh inc app art ash bay bill black blue brook brown can chance chase christian "
        "clay cook crystal dale dan daisy dawn dean dot drew duke earl faith fall first forest frank gay gene given "
        "good grace grant gray green guy hall harmony heaven hill holly hope hunter iris ivy jack jade jewel joy june "
        "july king lane last lily long love mark mason max may mercy miles moore nick olive page park pat pearl penny "
        "pierce price rain ray reed rich rob robin rock rose ruby sage sandy savage sky star stone storm sue summer "
        "sunny the tom trinity victor victory wade walker ward west white will win winter wood young you "
        "alb albu bun casa codrea dor drag floare florin frunza lung lupu mare mic munteanu negru nor noua oprea rosu "
        "sava scurtu stan toma ursu vara verde viorica "
        "beck braun ernst falk frei gross jung kaiser klein klug koch konig kurz lang lange mai maier reich richter "
        "roth sommer stark stein vogel weiss wolf zimmermann "
        "aime ange avril blanc bon boucher bruno clement constant desire fort fontaine grand jean juste leroy long "
        "marin martin moulin petit pierre premier prosper rene roux rouge rousseau royer victoire "
        "angel blanco bueno calle campo cruz delgado domingo flores fuente guerra leon luna luz mar mayo moreno "
        "nieves paz prado reyes rico rios rojo rosa ruiz santa santo sierra sol torre vega vela vidal"
    )
)


class Heard:
    """Names and whose they are; `replace` is for after the last was taken in.

    Args:
        agent: the mark of agents, of whose names only the whole is replaced.
        own: is a name with these ids the person's?
        own_words: of the person's name; one of them alone is nobody else's.
    """

    def __init__(self, agent: str, own: Callable[[str, frozenset[str]], bool], own_words: Container[str]) -> None:
        self._agent, self._own, self._own_words = agent, own, own_words
        self._said: dict[tuple[str, frozenset[str]], str] = {}
        self._index: dict[str, list[tuple[tuple[str, ...], str]]] | None = None

    def take(self, name: str, ids: frozenset[str], mark: str) -> None:
        """One more.

        Args:
            ids: of its bearer in the record; they may turn out to be the person's own.
        """
        if len(self._said) < MOST and (name, ids) not in self._said:
            self._said[name, ids] = mark
            self._index = None

    @property
    def any(self) -> bool:
        return bool(self._said)

    def replace(self, text: str, count: Callable[[str], object]) -> str:
        """The text with a mark for each name; `count` is told each."""
        if not self._said:
            return text
        if self._index is None:
            self._index = self._indexed()
        found, at, prose = [], 0, " " in text
        for token in _TOKEN.finditer(text):
            heads = self._index.get(fold(token[0])[0]) if token.start() >= at and fold(token[0]) else None
            for name, mark in heads or ():
                if len(name) == 1 and token[0].islower() and (not prose or name[0] in _EVERYDAY):
                    continue  # one word alone is a value such as `user`, no sentence
                end = _end(text, token.end(), name[1:])
                if end is not None:
                    found += [text[at : token.start()], mark]
                    at = end
                    count(mark)
                    break
        return "".join([*found, text[at:]])

    def _indexed(self) -> dict[str, list[tuple[tuple[str, ...], str]]]:
        marks: dict[tuple[str, ...], str] = {}
        for (name, ids), mark in self._said.items():
            if self._own(name, ids):
                continue
            parts = [] if mark == self._agent else [p for p in name.split() if len(p) > 2 and p[0].isupper()]
            for part in (name, *parts):
                folded = fold(part)
                if len(part) > 2 or not part.isascii():
                    marks.setdefault(folded, mark)
        index: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for folded in sorted(marks, key=len, reverse=True):
            if folded and not all(word in self._own_words for word in folded):
                index.setdefault(folded[0], []).append((folded, marks[folded]))
        return index


def _end(text: str, at: int, name: tuple[str, ...]) -> int | None:
    """Where the rest of a name ends that begins behind `at`; None if something else stands there."""
    for word in name:
        between = _BETWEEN.match(text, at)
        token = _TOKEN.match(text, between.end()) if between else None
        if token is None or fold(token[0]) != (word,):
            return None
        at = token.end()
    return at

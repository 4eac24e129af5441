"""The information that goes with a copy under the right of access (GDPR Art. 15(1) and (2)), from the policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from dsr.letters.catalogue import known, phrase, say, word
from dsr.policy import UNSET, Policy


@dataclass(frozen=True)
class Section:
    """One heading with a table, or with paragraphs where there are no columns. Cells are lists of English phrases.

    Args:
        key: of the heading, `package.info_<key>`.
        article: that asks for it.
        columns: keys of the column headings.
    """

    key: str
    article: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]


def sections(policy: Policy, language: str) -> list[Section]:
    """Everything that Art. 15(1) and (2) ask for, in their order; recipients by name (CJEU C-154/21)."""
    contact = say("package.unset", language, contact=policy.dpo.email)

    def told(text: str) -> tuple[str, ...]:
        return (contact if text == UNSET else text,)

    kept = [((k.what,), (f"{k.ground} ({k.article})", k.until)) for k in policy.kept]
    rights = [((word("right", r.right, language),), (r.article,)) for r in policy.rights]
    authority = policy.authority
    return [
        Section(
            "purposes",
            "Art. 15(1)(a), (b), (g)",
            ("category", "data", "purposes", "source"),
            tuple(((c.name,), c.data, c.purposes, (c.source,)) for c in policy.categories),
        ),
        Section(
            "recipients",
            "Art. 15(1)(c)",
            ("recipient", "purpose", "location"),
            tuple(((p.label,), tuple(p.purpose.split(", ")), (p.location,)) for p in policy.processors),
        ),
        Section(
            "retention",
            "Art. 15(1)(d)",
            ("what", "how_long"),
            (*(((r.what,), told(r.period)) for r in policy.retention), *kept),
        ),
        Section(
            "transfers",
            "Art. 15(2)",
            ("location", "safeguard"),
            tuple(((country,), told(policy.transfers.safeguard)) for country in policy.transfers.countries),
        ),
        Section("rights", "Art. 15(1)(e)", ("right", "article"), tuple(rights)),
        Section(
            "complaint",
            "Art. 15(1)(f)",
            (),
            (((authority.name, authority.address, authority.site, authority.email),),),
        ),
        Section("decisions", "Art. 15(1)(h)", (), (((say("package.info_decisions_none", language),),),)),
    ]


def to_html(parts: Sequence[Section], language: str) -> str:
    """The sections as HTML, to stand inside a page under a heading of level 2."""
    return "".join(
        f"<h3>{escape(say(f'package.info_{p.key}', language))} <small>{escape(p.article)}</small></h3>"
        + (_table(p, language) if p.columns else "".join(f"<p>{_cell(c, language)}</p>" for r in p.rows for c in r))
        for p in parts
    )


def to_data(parts: Sequence[Section], language: str) -> dict[str, Any]:
    """The same for machines."""
    return {
        "language": known(language),
        "sections": [
            {
                "subject": p.key,
                "article": p.article,
                "rows": [
                    {
                        column: [phrase(text, language)[0] for text in cell]
                        for column, cell in zip(p.columns or ("text",), row, strict=True)
                    }
                    for row in p.rows
                ],
            }
            for p in parts
        ],
    }


def _table(part: Section, language: str) -> str:
    label = escape(say(f"package.info_{part.key}", language))
    head = "".join(f'<th scope="col">{escape(say(f"package.column_{c}", language))}</th>' for c in part.columns)
    body = "".join(
        f'<tr><th scope="row">{_cell(row[0], language)}</th>'
        + "".join(f"<td>{_cell(cell, language)}</td>" for cell in row[1:])
        + "</tr>"
        for row in part.rows
    )
    return (
        f'<div class="wide" role="region" aria-label="{label}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(texts: Iterable[str], language: str) -> str:
    """Phrases, each in its own language (WCAG 3.1.2)."""
    parts = []
    for english in texts:
        text, written_in = phrase(english, language)
        shown = escape(text)
        parts.append(shown if written_in == known(language) else f'<span lang="{written_in}">{shown}</span>')
    return "; ".join(parts)

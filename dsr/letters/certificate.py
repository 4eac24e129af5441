"""The certificate: what became of a request, service by service (GDPR Art. 12(3), 17, 19).

It names processors and dates, never values of the person, and says plainly whether it is complete.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from itertools import chain

from dsr.letters.catalogue import colon, date, duration, known, moment, phrase, say, word
from dsr.model import Residue, Right, Verdict

# Operations that a row may name as its note, when it is about another one than an erasure.
_OPERATIONS = frozenset({"export", "restrict", "lift", "suppress", "rectify"})


@dataclass(frozen=True)
class CertificateRow:
    """What one processor did.

    Args:
        processor_label: its name as in the privacy policy.
        purpose: what it is used for, as in the policy.
        on: when the verdict was reached: asked again, accepted, or handed to a person; None if unknown.
        until: for WITH_A_PERSON and KEPT: ISO date, "90 days", or another phrase; else empty.
        residue: what stays, why, until when.
        note: an operation's name, or a sentence for the person, in English, without personal data.
    """

    processor_label: str
    purpose: str
    verdict: Verdict
    on: datetime | None = None
    until: str = ""
    residue: tuple[Residue, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Certificate:
    """The outcome of one request.

    Args:
        verified: when identity was confirmed; None where the right needs no proof.
        finished: when this certificate was drawn up; None if it still is a preview.
        due: the legal deadline.
        complete: no step is open; False is "partially completed".
        controller, dpo, authority: name (and address) for people to write to.
        derivation: how the deadline was worked out, for people.
        timezone: IANA name of the controller's time zone, for every date.
    """

    reference: str
    right: Right
    received: datetime
    verified: datetime | None
    finished: datetime | None
    due: datetime
    complete: bool
    rows: tuple[CertificateRow, ...]
    controller: str
    dpo: str
    authority: str
    derivation: str = ""
    timezone: str = "UTC"


@dataclass(frozen=True)
class _Phrase:
    """A text and the language that it is in; connectors speak English, not all of it is translated."""

    text: str
    language: str


def to_text(cert: Certificate, language: str) -> str:
    """The certificate as plain text."""
    sep = colon(language)
    lines = [_title(cert, language), "", _state(cert, language), ""]
    lines += [f"{label}{sep} {value}" for label, value in _facts(cert, language)]
    lines += ["", say("word.services", language).upper(), ""]
    for row in cert.rows:
        lines.append(row.processor_label + (f" ({_purpose(row, language).text})" if row.purpose else ""))
        lines.append(f"  {_verdict(row, language)}" + (f" ({date(row.on, language, cert.timezone)})" if row.on else ""))
        remains = say("word.remains", language)
        lines += [f"  {remains}{sep} {''.join(p.text for p in parts)}" for parts in _remaining(row, language)]
        lines += [f"  {p.text}" for p in _note(row, language)]
        lines.append("")
    lines += [say("word.meanings", language).upper(), ""]
    lines += [f"{name}{sep} {meaning}" for name, meaning in _meanings(cert, language)]
    lines += ["", say("word.your_rights", language).upper(), "", _rights(cert, language), ""]
    if cert.derivation:
        lines += [f"{say('word.derivation', language)}{sep} {phrase(cert.derivation, language)[0]}", ""]
    return "\n".join([*lines, say("word.no_values", language)])


_CELL = "text-align:left;vertical-align:top;padding:8px 12px 8px 0;border-bottom:1px solid #8a8a8a"


def fragment(cert: Certificate, language: str, *, heading: int = 2) -> str:
    """The certificate as HTML to stand inside a page or a mail: styles are inline, no colours but a grey rule.

    Args:
        heading: level of the section headings.
    """
    tag = f"h{heading}"
    columns = "".join(
        f'<th scope="col" style="{_CELL}">{_word(f"column_{name}", language)}</th>'
        for name in ("service", "verdict", "date", "remains")
    )
    facts = "".join(f"<dt><strong>{escape(a)}</strong></dt><dd>{escape(b)}</dd>" for a, b in _facts(cert, language))
    rows = "".join(_html_row(row, cert, language) for row in cert.rows)
    meanings = "".join(
        f"<li><strong>{escape(a)}</strong>{colon(language)} {escape(b)}</li>" for a, b in _meanings(cert, language)
    )
    derivation = ""
    if cert.derivation:
        how = _span(_Phrase(*phrase(cert.derivation, language)), language)
        derivation = f"<{tag}>{_word('derivation', language)}</{tag}><p>{how}</p>"
    return (
        f"<p><strong>{escape(_state(cert, language))}</strong></p><dl>{facts}</dl>"
        f'<{tag} id="services">{_word("services", language)}</{tag}>'
        '<div role="region" aria-labelledby="services" tabindex="0" style="overflow-x:auto">'
        '<table aria-labelledby="services" style="border-collapse:collapse;width:100%">'
        f"<thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<{tag}>{_word('meanings', language)}</{tag}><ul>{meanings}</ul>"
        f"<{tag}>{_word('your_rights', language)}</{tag}><p>{escape(_rights(cert, language))}</p>"
        f"{derivation}<p>{_word('no_values', language)}</p>"
    )


_STYLE = """
:root{color-scheme:light dark}
body{margin:0;padding:2rem 1rem;font:1rem/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff}
main{max-width:60rem;margin:auto}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem}dd{margin:0}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
:focus-visible{outline:3px solid #1a5fb4}
@media (max-width:40rem){dl{display:block}}
@media (prefers-color-scheme:dark){body{color:#ececec;background:#16181c}:focus-visible{outline-color:#8ab4f8}}
@media print{body{padding:0;color:#000;background:#fff}tr{break-inside:avoid}thead{display:table-header-group}}
"""


def to_html(cert: Certificate, language: str) -> str:
    """The certificate as a page of its own: printable, light and dark, no script, nothing loaded."""
    title = escape(_title(cert, language))
    return (
        f'<!doctype html>\n<html lang="{known(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>{fragment(cert, language)}</main></body></html>\n"
    )


def to_json(cert: Certificate) -> str:
    """The certificate for machines: the fields of `Certificate`, moments in ISO 8601 (UTC), `status` in our words."""

    def plain(value: object) -> object:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        raise TypeError(type(value).__name__)

    status = "completed" if cert.complete else "partially_completed"
    return json.dumps({"status": status, **asdict(cert)}, default=plain, ensure_ascii=False, indent=2)


def _title(cert: Certificate, language: str) -> str:
    return f"{say('word.certificate', language)} {cert.reference}"


def _state(cert: Certificate, language: str) -> str:
    return say("word.complete" if cert.complete else "word.partial", language)


def _facts(cert: Certificate, language: str) -> list[tuple[str, str]]:
    moments = {"received": cert.received, "verified": cert.verified, "finished": cert.finished}
    facts = {
        "reference": cert.reference,
        "right": word("right", cert.right, language),
        **{name: moment(at, language, cert.timezone) for name, at in moments.items() if at},
        "due": date(cert.due, language, cert.timezone),
        "controller": cert.controller,
        "dpo": cert.dpo,
    }
    return [(say(f"word.{name}", language), value) for name, value in facts.items()]


def _verdict(row: CertificateRow, language: str) -> str:
    name = word("verdict", row.verdict, language)
    if row.note in _OPERATIONS:
        name = f"{word('operation', row.note, language)}{colon(language)} {name}"
    return f"{name} {_until(row.until, language).text}" if row.until else name


def _until(until: str, language: str) -> _Phrase:
    """ "until 5 April 2027", "for up to 90 days"; a phrase of a connector stays as it is if it has no translation."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", until):
        day = date(datetime.fromisoformat(until).replace(tzinfo=UTC), language, "UTC")
        return _Phrase(say("word.until", language, date=day), known(language))
    if span := re.fullmatch(r"(?:up to |within |about )?(\d+) (day|month|year)s?", until):
        text = say("word.for_up_to", language, duration=duration(int(span[1]), span[2], language))
        return _Phrase(text, known(language))
    return _Phrase(*phrase(until, language))


def _purpose(row: CertificateRow, language: str) -> _Phrase:
    parts = [phrase(part, language) for part in row.purpose.split(", ")]
    text = ", ".join(part for part, _ in parts)
    return _Phrase(text, known(language) if all(of == known(language) for _, of in parts) else "en")


def _remaining(row: CertificateRow, language: str) -> list[list[_Phrase]]:
    """What remains, one list of phrases for each residue: what; why; until."""
    lists = []
    for residue in row.residue:
        parts = [_Phrase(*phrase(residue.what, language)), _Phrase(*phrase(residue.why, language))]
        if residue.kept_by_law:
            parts.append(_Phrase(say("word.by_law", language), known(language)))
        open_end = _Phrase(say("word.until_open", language), known(language))
        parts.append(_until(residue.until, language) if residue.until else open_end)
        separated = ((_Phrase("; ", known(language)), part) for part in parts if part.text)
        lists.append(list(chain.from_iterable(separated))[1:])
    return lists


def _note(row: CertificateRow, language: str) -> list[_Phrase]:
    return [_Phrase(*phrase(row.note, language))] if row.note and row.note not in _OPERATIONS else []


def _meanings(cert: Certificate, language: str) -> list[tuple[str, str]]:
    """The verdicts that occur, explained."""
    present = {row.verdict for row in cert.rows}
    return [(word("verdict", v, language), word("meaning", v, language)) for v in Verdict if v in present]


def _rights(cert: Certificate, language: str) -> str:
    return say("word.your_rights_text", language, dpo=cert.dpo, authority=cert.authority)


def _html_row(row: CertificateRow, cert: Certificate, language: str) -> str:
    remaining = ["".join(_span(p, language) for p in parts) for parts in _remaining(row, language)]
    remaining += [_span(p, language) for p in _note(row, language)]
    cells = [
        escape(_verdict(row, language)),
        escape(date(row.on, language, cert.timezone)) if row.on else "–",
        "<br>".join(remaining) or "–",
    ]
    name = escape(row.processor_label)
    if row.purpose:
        name += f"<br><small>{_span(_purpose(row, language), language)}</small>"
    return (
        f'<tr><th scope="row" style="{_CELL};font-weight:normal">{name}</th>'
        + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in cells)
        + "</tr>"
    )


def _word(key: str, language: str) -> str:
    return escape(say(f"word.{key}", language))


def _span(part: _Phrase, language: str) -> str:
    """Text in another language than the page is marked as such (WCAG 3.1.2)."""
    text = escape(part.text)
    return text if part.language == known(language) else f'<span lang="{part.language}">{text}</span>'

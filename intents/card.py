"""Tables and chart of the model card: `python -m intents card` rewrites the marked parts of `docs/intents.md`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from intents.curve import learning_curve, unknown_authors
from intents.detection import INTENTS
from intents.evaluate import Judged, calibration, judge, measure
from intents.lines import Line, apart_lines, development_lines, training_lines
from intents.text.cleaning import own_words

DOCS = Path(__file__).parent.parent / "docs"
_SHOWN_FAILURES = 24


def write_card(directory: Path = DOCS) -> None:
    """Measure the committed model on the development set; fill in the card and draw the chart (some minutes)."""
    train, development = training_lines(), development_lines()
    rows = judge(development)
    parts = {
        "curve": learning_curve(train, development),
        "authors": unknown_authors(train),
        "data": data_table(train, development),
        "total": total_table(rows),
        "intents": intent_table(rows),
        "languages": group_table("language", rows, lambda r: r.line.lang),
        "writers": group_table("development batch", rows, lambda r: r.line.source),
        "apart": group_table(
            "set", judge(apart_lines()), lambda r: "letters" if "letter" in r.line.note else r.line.note
        ),
        "groups": group_table("kind of message", rows, lambda r: r.line.note or "-"),
        "confusion": confusion_table(rows),
        "calibration": "```\n" + "\n".join(calibration(rows)) + "\n```",
        "failures": failures(rows),
    }
    card = directory / "intents.md"
    text = card.read_text(encoding="utf-8")
    for name, part in parts.items():
        before, rest = text.split(f"<!-- {name} -->\n", 1)
        text = f"{before}<!-- {name} -->\n{part}\n<!-- end -->" + rest.split("<!-- end -->", 1)[1]
    card.write_text(text, encoding="utf-8")
    by_language = {lang: measure(group).macro_f1 for lang, group in _grouped(rows, lambda r: r.line.lang).items()}
    (directory / "intents.svg").write_text(chart(by_language), encoding="utf-8")


def data_table(train: Sequence[Line], development: Sequence[Line]) -> str:
    """Lines by language and by what they ask for."""
    out = [
        "| language | training lines | none | 900 characters or more | development lines |",
        "|---|---|---|---|---|",
    ]
    held = Counter(line.lang for line in development)
    languages = Counter(line.lang for line in train)
    for lang, count in sorted(languages.items(), key=lambda item: -item[1]):
        lines = [line for line in train if line.lang == lang]
        none, long = sum(not line.intents for line in lines), sum(len(line.text) >= 900 for line in lines)
        out.append(f"| {lang} | {count} | {none} | {long} | {held[lang]} |")
    none, long = sum(not line.intents for line in train), sum(len(line.text) >= 900 for line in train)
    out.append(f"| all | {len(train)} | {none} | {long} | {len(development)} |")
    wanted = Counter(i for line in train for i in line.intents)
    return "\n".join(out) + "\n\nIntents in training: " + ", ".join(f"{i} {wanted[i]}" for i in INTENTS) + "."


def total_table(rows: Sequence[Judged]) -> str:
    """The figures of the bar on the development set."""
    m = measure(rows)
    present = [m.per_intent[i] for i in INTENTS]
    return "\n".join(
        [
            "| measure | development set | goal | floor |",
            "|---|---|---|---|",
            f"| macro-F1 over the five intents | {m.macro_f1:.3f} | 0.95 | 0.88 |",
            f"| exact multi-label match | {m.exact:.3f} | 0.94 | 0.85 |",
            f"| false positives per 1,000 messages without intent | {m.false_per_1000:.0f} | 12 | 30 |",
            f"| missed per 1,000 messages with intent | {m.missed_per_1000:.0f} | - | - |",
            f"| lowest F1 of an intent | {min(x[2] for x in present):.3f} | 0.92 | 0.84 |",
            f"| recall of age_report | {m.per_intent['age_report'][1]:.3f} | 0.99 | 0.97 |",
        ]
    )


def intent_table(rows: Sequence[Judged]) -> str:
    """Precision, recall and F1 per intent."""
    out = ["| intent | precision | recall | F1 | messages |", "|---|---|---|---|---|"]
    out += [f"| {i} | {p:.3f} | {r:.3f} | {f:.3f} | {n} |" for i, (p, r, f, n) in measure(rows).per_intent.items()]
    return "\n".join(out)


def group_table(title: str, rows: Sequence[Judged], key: Callable[[Judged], str], least: int = 8) -> str:
    """The same measures for each language or kind of message."""
    out = [
        f"| {title} | messages | macro-F1 | exact | false per 1,000 | missed per 1,000 |",
        "|---|---|---|---|---|---|",
    ]
    for name, group in sorted(_grouped(rows, key).items(), key=lambda item: -len(item[1])):
        if len(group) >= least:
            m = measure(group)
            shown = [f"{x:.{d}f}" if x == x else "-" for x, d in ((m.macro_f1, 3), (m.exact, 3))]
            rates = [f"{x:.0f}" if x == x else "-" for x in (m.false_per_1000, m.missed_per_1000)]
            out.append(f"| {name} | {m.count} | {' | '.join(shown + rates)} |")
    return "\n".join(out)


def confusion_table(rows: Sequence[Judged]) -> str:
    """Messages with at most one wanted intent: what was wanted against what was found."""
    names = [*INTENTS, "none"]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if len(row.want) <= 1:
            want = next(iter(row.want), "none")
            counts[want].update(row.got or {"none"})
    out = ["| wanted \\ found | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    out += [f"| {want} | " + " | ".join(str(counts[want][got]) for got in names) + " |" for want in names]
    return "\n".join(out)


def failures(rows: Sequence[Judged]) -> str:
    """Wrong messages, evenly taken from all of them."""
    wrong = [r for r in rows if r.want != r.got]
    step = max(1, len(wrong) // _SHOWN_FAILURES)
    out = ["| language | wanted | found | message |", "|---|---|---|---|"]
    for row in wrong[::step][:_SHOWN_FAILURES]:
        text = re.sub(r"\s+", " ", own_words(row.line.text)[0])[:160].replace("|", "/")
        want, got = (", ".join(i for i in INTENTS if i in x) or "none" for x in (row.want, row.got))
        out.append(f"| {row.line.lang} | {want} | {got} | {text} |")
    return "\n".join(out)


def chart(values: Mapping[str, float]) -> str:
    """Bars of macro-F1 by language, as SVG; the table in the card says the same."""
    width, row, left = 640, 26, 60
    height = row * len(values) + 50
    scale = (width - left - 60) / 1.0
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="macro-F1 by language" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="20" fill="#222222">macro-F1 by language, development set (line: floor 0.88)</text>',
    ]
    for number, (name, value) in enumerate(sorted(values.items(), key=lambda item: -item[1])):
        y = 34 + number * row
        out.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end" fill="#222222">{escape(name)}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="{row - 6}" fill="#2b6cb0"/>')
        out.append(f'<text x="{left + value * scale + 6:.1f}" y="{y + 15}" fill="#222222">{value:.3f}</text>')
    x = left + 0.88 * scale
    out.append(f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height - 14}" stroke="#c53030" stroke-dasharray="4 3"/>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _grouped(rows: Sequence[Judged], key: Callable[[Judged], str]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found

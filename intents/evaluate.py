"""Measures of a labelled file: the definitions of the project's score table, latency and calibration."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from intents.detect import detect
from intents.detection import INTENTS, Detection
from intents.lines import Line


@dataclass(frozen=True)
class Judged:
    """One message with what was wanted and what was found (an optional intent is taken out of the latter)."""

    line: Line
    want: frozenset[str]
    got: frozenset[str]
    detection: Detection
    milliseconds: float


def judge(lines: Sequence[Line]) -> list[Judged]:
    """Run the detector over labelled messages."""
    detect("warm up")
    judged = []
    for line in lines:
        start = time.perf_counter()
        found = detect(line.text)
        passed = (time.perf_counter() - start) * 1000
        got = frozenset(found.intents) - (line.optional - line.intents)
        judged.append(Judged(line, line.intents, got, found, passed))
    return judged


@dataclass(frozen=True)
class Measures:
    """Precision, recall, F1 and support per intent; macro-F1 over the intents that occur; shares and rates."""

    per_intent: dict[str, tuple[float, float, float, int]]
    macro_f1: float
    exact: float
    false_per_1000: float
    missed_per_1000: float
    count: int


def measure(rows: Sequence[Judged]) -> Measures:
    """All figures of one set of messages."""
    per_intent = {}
    for intent in INTENTS:
        per_intent[intent] = _prf([(intent in r.want, intent in r.got) for r in rows])
    per_intent["none"] = _prf([(not r.want, not r.got) for r in rows])
    present = [per_intent[i][2] for i in INTENTS if per_intent[i][3]]
    none = [r for r in rows if not r.want]
    some = [r for r in rows if r.want]
    return Measures(
        per_intent,
        sum(present) / len(present) if present else float("nan"),
        _share(rows, lambda r: r.want == r.got),
        1000 * _share(none, lambda r: bool(r.got)),
        1000 * _share(some, lambda r: not r.got),
        len(rows),
    )


def _prf(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float, float, int]:
    hit = sum(want and got for want, got in pairs)
    wanted, found = sum(want for want, _ in pairs), sum(got for _, got in pairs)
    return hit / found if found else 0.0, hit / wanted if wanted else 0.0, 2 * hit / max(1, wanted + found), wanted


def _share(rows: Sequence[Judged], holds: Callable[[Judged], bool]) -> float:
    return sum(holds(r) for r in rows) / len(rows) if rows else float("nan")


def report(lines: Sequence[Line], *, errors: int = 0) -> str:
    """The tables that `python -m intents evaluate` prints."""
    rows = judge(lines)
    total = measure(rows)
    out = [
        f"messages {total.count}  (with intent {sum(bool(r.want) for r in rows)}, none {total.per_intent['none'][3]})",
        f"macro-F1 (5 intents)   {total.macro_f1:.4f}",
        f"exact match            {total.exact:.4f}",
        f"FP per 1000 none       {total.false_per_1000:.1f}",
        f"missed per 1000 intent {total.missed_per_1000:.1f}",
        f"\n{'intent':<13}{'P':>8}{'R':>8}{'F1':>8}{'support':>9}",
    ]
    out += [f"{i:<13}{p:>8.3f}{r:>8.3f}{f:>8.3f}{n:>9}" for i, (p, r, f, n) in total.per_intent.items()]
    out += _by("lang", rows, lambda r: r.line.lang)
    out += _by("note", rows, lambda r: r.line.note, least=max(10, len(rows) // 100))
    out += ["", *latency(rows), "", *calibration(rows)]
    for row in [r for r in rows if r.want != r.got][:errors]:
        want, got = sorted(row.want) or "none", sorted(row.got) or "none"
        out.append(f"\n[{row.line.lang}] want {want} got {got}: {row.line.text[:200]!r}")
    return "\n".join(out)


def _by(title: str, rows: Sequence[Judged], key: Callable[[Judged], str], least: int = 1) -> list[str]:
    groups: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    out = [f"\n{title:<22}{'n':>6}{'macroF1':>9}{'exact':>8}{'FP/1000':>9}{'miss/1000':>11}"]
    for name, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        if len(group) >= least:
            m = measure(group)
            out.append(
                f"{name[:20]:<22}{m.count:>6}{m.macro_f1:>9.3f}{m.exact:>8.3f}{m.false_per_1000:>9.1f}{m.missed_per_1000:>11.1f}"
            )
    return out


def latency(rows: Sequence[Judged]) -> list[str]:
    """Median and 99th percentile of the time of one message."""
    times = [r.milliseconds for r in rows] or [float("nan")]
    return [f"latency ms: p50 {np.percentile(times, 50):.2f}  p99 {np.percentile(times, 99):.2f}  max {max(times):.2f}"]


def calibration(rows: Sequence[Judged], bins: int = 10) -> list[str]:
    """Stated probability against the share that was right, over all intents (expected calibration error below)."""
    pairs = [
        (r.detection.scores[i], i in r.want) for r in rows for i in INTENTS if i not in r.line.optional or i in r.want
    ]
    out, error = [f"{'probability':<13}{'n':>7}{'stated':>8}{'true':>8}"], 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [(p, t) for p, t in pairs if low <= p < high or (p == 1.0 and high == 1.0)]
        if inside:
            stated, true = (sum(x[k] for x in inside) / len(inside) for k in (0, 1))
            error += abs(stated - true) * len(inside) / len(pairs)
            out.append(f"{low:.1f}-{high:.1f}      {len(inside):>7}{stated:>8.3f}{true:>8.3f}")
    return [*out, f"expected calibration error {error:.4f}"]

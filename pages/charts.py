"""Charts as SVG made on the server: no script, readable in print, and always beside the table of the same numbers."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape

ROW, BAR, NAMES, WIDTH, NUMBER = 26, 16, 170, 460, 50  # user units


def bars(title: str, values: Mapping[str, int]) -> Markup:
    """Horizontal bars, a row for each value, longest = largest. Names that are too long for their place are cut; the
    table has them whole.

    Args:
        title: said by screen readers in place of the picture.
    """
    most = max(values.values(), default=0) or 1
    room = WIDTH - NAMES - NUMBER
    rows = []
    for index, (name, value) in enumerate(values.items()):
        top = index * ROW
        width = round(room * value / most, 1)
        shown = name if len(name) <= 24 else f"{name[:23]}…"
        rows.append(
            f'<text x="{NAMES - 8}" y="{top + 17}" text-anchor="end">{escape(shown)}</text>'
            f'<rect x="{NAMES}" y="{top + (ROW - BAR) // 2}" width="{width}" height="{BAR}" rx="2"/>'
            f'<text x="{NAMES + width + 6}" y="{top + 17}">{value}</text>'
        )
    height = max(len(values), 1) * ROW
    # What the picture says stands in the table beside it: a screen reader hears the title and reads that.
    return Markup(  # noqa: S704  # every value from outside is escaped above
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(rows)}</svg>'
    )

"""Documents for the controller: one HTML file each, with its style inside, that opens and prints without the desk.

In English, as the register and the report are for the data protection officer and the authority.
"""

from __future__ import annotations

from pathlib import Path

from flask import current_app, render_template
from markupsafe import Markup


def render(template: str, title: str, **context: object) -> str:
    """A whole HTML document; needs an application context.

    Args:
        template: in `pages/templates`, extending `sheet.html`.
    """
    style = (Path(str(current_app.static_folder)) / "sheet.css").read_text(encoding="utf-8")
    return render_template(template, title=title, style=Markup(style), **context)  # noqa: S704  # a file of ours

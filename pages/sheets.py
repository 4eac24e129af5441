"""Documents for the controller: one HTML file each, with its style inside, that opens and prints without the desk.

In English, as the register and the report are for the data protection officer and the authority.
"""

from __future__ import annotations

from pathlib import Path

from flask import current_app, render_template
from markupsafe import Markup

from dsr.report import Report
from pages.charts import bars


def render(template: str, title: str, **context: object) -> str:
    """A whole HTML document; needs an application context.

    Args:
        template: in `pages/templates`, extending `sheet.html`.
    """
    style = (Path(str(current_app.static_folder)) / "sheet.css").read_text(encoding="utf-8")
    return render_template(template, title=title, style=Markup(style), **context)  # noqa: S704  # a file of ours


def report(found: Report, controller: str) -> str:
    """The report with a chart and a table for each kind of number.

    Args:
        controller: name of the company.
    """
    late = {name: tasks.overdue for name, tasks in found.tasks.items() if tasks.overdue}
    parts = {
        "Received by month": ("Month", found.months),
        "By right": ("Right", found.rights),
        "By channel": ("Channel", found.channels),
        "By outcome": ("Outcome", found.outcomes),
        "By regime": ("Regime", found.regimes),
        "Refusals by ground": ("Ground", found.refusals),
        "Records held by ground": ("Ground", found.holds),
        "Tasks of people, open now": ("Processor", {name: tasks.open for name, tasks in found.tasks.items()}),
        "Tasks of people, overdue now": ("Processor", late),
    }
    charts = [
        {"title": title, "column": column, "values": values, "picture": bars(title, values)}
        for title, (column, counted) in parts.items()
        for values in [{name.replace("_", " "): number for name, number in counted.items()}]
    ]
    return render("report.html", "Report on requests of data subjects", r=found, controller=controller, charts=charts)

"""The page of a package that a person reads without any program but a browser: no script, nothing loaded. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from urllib.parse import quote

from dsr.letters.catalogue import colon, known, moment, say
from dsr.letters.certificate import Certificate, fragment
from dsr.model import Right
from dsr.package import sheet
from dsr.package.names import csv_name, schema_name
from dsr.package.spool import Member
from dsr.policy import Policy

PREVIEW_COLUMNS = 8

_STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--quiet:#595959;--line:#c9c9c9;--link:#0b57d0;--tint:#f4f5f7}
@media (prefers-color-scheme:dark){:root{--ink:#ececec;--paper:#16181c;--quiet:#b3b3b3;--line:#45484f;--link:#8ab4f8;
--tint:#1f2228}}
*{box-sizing:border-box}
body{margin:0;padding:1.5rem 1rem 4rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:64rem;margin:auto}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .5rem}h2{font-size:1.3rem;margin:2.5rem 0 .5rem}
h3{font-size:1.05rem;margin:1.75rem 0 .25rem}h1,h2,h3,p,dd,li{overflow-wrap:anywhere}
small{font-size:.875rem;font-weight:normal;color:var(--quiet)}.quiet{color:var(--quiet)}
a{color:var(--link)}:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.wide{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line)}
tbody th{font-weight:normal}.number{text-align:right}
.records td,.records th{font-size:.875rem}.records th{white-space:nowrap}
.records td{min-width:8rem;max-width:18rem;overflow-wrap:anywhere}
.files table{table-layout:fixed}.files th,.files td{overflow-wrap:anywhere}.files a{margin-right:.5rem}
.files th:first-child{width:40%}.files .number{width:14%}
details{margin:.5rem 0;padding:.25rem .75rem;background:var(--tint);border-radius:.4rem}summary{cursor:pointer}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem}dd{margin:0}
nav ul{padding:0;list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}
@media (max-width:40rem){dl{display:block}dd{margin-bottom:.5rem}
.files :is(table,tbody,td,th){display:block}
.files thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.files tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
.files :is(th,td){border:0;padding:0;width:auto!important;text-align:left}.files tbody th{font-weight:bold}
.files td[data-label]:not(:empty)::before{content:attr(data-label) " ";color:var(--quiet)}}
@media print{:root{--ink:#000;--paper:#fff;--tint:#fff}body{padding:0}nav{display:none}tr{break-inside:avoid}
thead{display:table-header-group}.wide{overflow:visible}details:not([open]){display:none}}
"""


def page(
    contents: Mapping[str, Sequence[Member]],
    right: Right,
    cert: Certificate,
    policy: Policy,
    language: str,
    now: datetime,
) -> str:
    """The page.

    Args:
        contents: processor name -> its files; of those that gave nothing too, if they were asked.
        cert: what became of the request at every processor.
        now: when the package was made.
    """
    parts = [
        ("contents", _contents(contents, policy, language)),
        ("masked", _masked(contents, language)),
        *(
            [("information", sheet.to_html(sheet.sections(policy, language), language))]
            if right is Right.ACCESS
            else []
        ),
        ("outcome", fragment(cert, language, heading=3)),
    ]
    links = "".join(f'<li><a href="#{id}">{_say(f"{id}_heading", language)}</a></li>' for id, _ in parts)
    body = "".join(
        f'<section aria-labelledby="{id}"><h2 id="{id}">{_say(f"{id}_heading", language)}</h2>{html}</section>'
        for id, html in parts
    )
    title = _say("title", language, company=policy.controller.brand)
    intro = "".join(f"<p>{text}</p>" for text in _intro(right, cert, policy, language, now))
    return (
        f'<!doctype html>\n<html lang="{known(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f'<body><main><h1>{title}</h1>{intro}<nav aria-label="{_say("nav", language)}"><ul>{links}</ul></nav>'
        f"{body}</main></body></html>\n"
    )


def readme(right: Right, cert: Certificate, policy: Policy, language: str, now: datetime) -> str:
    """The same introduction as plain text."""
    title = say("package.title", language, company=policy.controller.brand)
    return "\n\n".join([title, *_intro(right, cert, policy, language, now, plain=True)]) + "\n"


def _intro(
    right: Right, cert: Certificate, policy: Policy, language: str, now: datetime, *, plain: bool = False
) -> list[str]:
    at = moment(now, language, policy.controller.timezone)
    profile = "profile_access" if right is Right.ACCESS else "profile_portability"
    keys = ("made", profile, "formats", "keep_safe")
    texts = [say(f"package.{k}", language, date=at, reference=cert.reference, contact=policy.dpo.email) for k in keys]
    return texts if plain else [escape(text) for text in texts]


def _contents(contents: Mapping[str, Sequence[Member]], policy: Policy, language: str) -> str:
    own = policy.own_database
    order = {own.name: own.label, **{p.name: p.label for p in policy.processors}}
    found = []
    for name in sorted(contents, key=lambda n: list(order).index(n) if n in order else len(order)):
        members = contents[name]
        found.append(f"<h3>{escape(order.get(name, name))}</h3>")
        if members:
            found.append(_files(name, order.get(name, name), members, language))
            found += [_preview(f"{name}/{m.name}", m, language) for m in members if m.preview]
        else:
            found.append(f'<p class="quiet">{_say("nothing", language)}</p>')
    return "".join(found) or f"<p>{_say('nothing', language)}</p>"


def _files(processor: str, label: str, members: Sequence[Member], language: str) -> str:
    head = "".join(
        f'<th scope="col"{css}>{_say(f"column_{key}", language)}</th>'
        for key, css in (("file", ""), ("records", ' class="number"'), ("origin", ""), ("formats", ""))
    )
    rows = []
    records = _say("column_records", language)
    for member in members:
        path = f"{processor}/{member.name}"
        formats = _link(path, say("package.attachment", language))
        if member.rows is not None:
            shown = (("JSON", path), ("CSV", csv_name(path)), ("Schema", schema_name(path)))
            formats = " ".join(_link(target, text, f"{text}{colon(language)} {member.name}") for text, target in shown)
        rows.append(
            f'<tr><th scope="row">{escape(member.name)}</th>'
            f'<td class="number" data-label="{records}">{"" if member.rows is None else member.rows}</td>'
            f"<td>{_say(f'origin_{member.origin}', language)}</td><td>{formats}</td></tr>"
        )
    return (
        f'<div class="wide files" role="region" aria-label="{escape(label)}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _preview(path: str, member: Member, language: str) -> str:
    columns = member.columns[:PREVIEW_COLUMNS]
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(row.get(column, ''))}</td>" for column in columns) + "</tr>"
        for row in member.preview
    )
    label = _say("preview", language, file=member.name)
    return (
        f'<details><summary>{label}</summary><div class="wide records" role="region" tabindex="0" '
        f'aria-label="{escape(path)}"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="quiet"><small>{_say("shortened", language)}</small></p></details>'
    )


def _masked(contents: Mapping[str, Sequence[Member]], language: str) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(f"{name}/{m.name}")}</th><td>{_say(f"kind_{kind}", language)}</td>'
        f'<td class="number">{count}</td></tr>'
        for name, members in contents.items()
        for m in members
        for kind, count in sorted(m.masked.items())
    )
    attached = any(m.rows is None for members in contents.values() for m in members)
    files = f"<p>{_say('masked_not_files', language)}</p>" if attached else ""
    if not rows:
        return f"<p>{_say('masked_none', language)}</p>{files}"
    head = "".join(
        f'<th scope="col"{css}>{_say(f"column_{key}", language)}</th>'
        for key, css in (("file", ""), ("kind", ""), ("how_often", ' class="number"'))
    )
    return (
        f"<p>{_say('masked', language)} {_link('masked.json', 'masked.json')}</p>"
        f'<div class="wide" role="region" aria-label="masked.json" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{files}"
    )


def _link(path: str, text: str, label: str = "") -> str:
    named = f' aria-label="{escape(label)}"' if label else ""
    return f'<a href="{escape(quote(path))}"{named}>{escape(text)}</a>'


def _say(key: str, language: str, **params: object) -> str:
    return escape(say(f"package.{key}", language, **params))

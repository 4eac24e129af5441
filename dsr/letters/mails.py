"""The mails to a person: pure functions from facts to `Mail`, text and HTML from the same catalogue text.

The HTML has no layout tables, no images, nothing loaded, and no colours of its own, so that light, dark and print work
in every client. Tokens in links must have no hyphen: the code is the only thing in a mail that looks like `XXXX-XXXX`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from dsr.letters import certificate as certificates
from dsr.letters.catalogue import PLACEHOLDER, colon, date, known, moment, say, template, word
from dsr.letters.certificate import Certificate
from dsr.letters.mandatory import require
from dsr.messages import Mail
from dsr.model import Right


@dataclass(frozen=True)
class Company:
    """Whom a mail comes from.

    Args:
        name: the name that customers know.
        contact: address of the data protection officer.
        authority: the supervisory authority (Art. 12(4) asks for it in every refusal).
        timezone: IANA name, for dates.
    """

    name: str
    contact: str
    authority: str
    timezone: str = "UTC"


def code_mail(to: str, language: str, code: str, not_me_link: str, *, company: Company, on_page: bool = False) -> Mail:
    """The code that proves control of the address; the same whether or not anything is held (threats.md, fact 4).

    Args:
        on_page: the code is to be typed on one of our pages, not in a conversation.
    """
    name = "code_for_page" if on_page else "code"
    return _mail(to, language, name, "code", company, code=code, link_not_me=not_me_link)


def answer_mail(to: str, language: str, text: str, *, company: Company, code: str = "", not_me_link: str = "") -> Mail:
    """What is said in a conversation that is held by mail, with the code in it if there is one to send.

    The first line asks for an answer above it: what stands below counts as quoted, so that a program or a person who
    sends our mail back does not type its code. The subject is our own words: what the sender put there may be
    personal, and the sender may be a forger.

    Args:
        text: plain, with blank lines between paragraphs; may be empty beside a code.
        not_me_link: given with a code.
    """
    values = {"company": company.name, "contact": company.contact, "code": code, "link_not_me": not_me_link}
    below = template("mail.answer_code_body", language).split("\n\n") if code else []
    said = [paragraph for paragraph in text.split("\n\n") if paragraph]
    above, footer = template("mail.answer_above", language), template("mail.footer", language)
    texts = [above, *said, *(_text_paragraph(p, values, colon(language)) for p in below)]
    html = "".join(
        [
            f"<p><small>{escape(above)}</small></p>",
            *(f"<p>{_linked(paragraph)}</p>" for paragraph in said),
            *(_html_paragraph(p, values) for p in below),
        ]
    )
    subject = say("mail.answer_subject", language, **values)
    return Mail(
        to=to,
        subject=subject,
        text="\n\n".join([*texts, "-- \n" + _fill(footer, values)]) + "\n",
        html=_page(language, subject, html + f"<hr><p><small>{_fill_html(footer, values)}</small></p>", heading=False),
        kind="code" if code else "answer",
        headers={"Auto-Submitted": "auto-replied"},
    )


def verified_mail(
    to: str,
    language: str,
    *,
    reference: str,
    right: Right,
    due: datetime,
    status_link: str,
    not_me_link: str,
    company: Company,
    start: datetime | None = None,
) -> Mail:
    """The request is confirmed.

    Args:
        start: for an erasure: end of the cooling-off time, when it begins; None while that is not known.
    """
    name = "verified_erasure" if start else "verified"
    return _mail(
        to,
        language,
        name,
        "notice",
        company,
        reference=reference,
        right=word("right", right, language),
        due=date(due, language, company.timezone),
        start=moment(start, language, company.timezone) if start else "",
        link_status=status_link,
        link_not_me=not_me_link,
    )


def package_mail(to: str, language: str, *, reference: str, link: str, expires: datetime, company: Company) -> Mail:
    """The export is ready, behind a link that works once."""
    until = moment(expires, language, company.timezone)
    return _mail(to, language, "package", "package", company, reference=reference, link=link, expires=until)


def certificate_mail(to: str, language: str, certificate: Certificate, *, company: Company) -> Mail:
    """The certificate, whole, in the mail itself: it must outlive our pages."""
    right = word("right", certificate.right, language)
    return _mail(
        to,
        language,
        "certificate",
        "certificate",
        company,
        more_text=certificates.to_text(certificate, language),
        more_html=certificates.fragment(certificate, language),
        reference=certificate.reference,
        right=right,
    )


def agent_opened_mail(
    to: str,
    language: str,
    *,
    reference: str,
    right: Right,
    link: str,
    code: str,
    not_me_link: str,
    company: Company,
    for_another: bool = False,
) -> Mail:
    """An agent opened a request in the person's name; it waits for their code on our page.

    Args:
        for_another: the addressee acts for the person, or has lost the mailbox that the records carry.
    """
    named = word("right", right, language)
    params = {"reference": reference, "right": named, "link": link, "code": code, "link_not_me": not_me_link}
    return _mail(to, language, "standin_code" if for_another else "agent_opened", "code", company, **params)


def standin_notice_mail(
    to: str,
    language: str,
    *,
    reference: str,
    right: Right,
    who: str,
    not_before: datetime,
    not_me_link: str,
    company: Company,
) -> Mail:
    """To the address on the records: somebody else acts for its owner, and how to stop that.

    Args:
        who: `lawyer`, `parent`, `heir`, `owner`.
        not_before: from when on two agents may let it begin.
    """
    params = {
        "reference": reference,
        "right": word("right", right, language),
        "who": word("standin", who, language),
        "day": date(not_before, language, company.timezone),
        "link_not_me": not_me_link,
    }
    return _mail(to, language, "standin_notice", "notice", company, **params)


def not_me_mail(to: str, language: str, *, reference: str, company: Company) -> Mail:
    """Somebody pressed "this was not me": the request is stopped."""
    return _mail(to, language, "not_me_done", "notice", company, reference=reference)


def unsubscribe_link_mail(to: str, language: str, *, link: str, company: Company) -> Mail:
    """The page with one button, for somebody who typed their address; the same whether or not we know it."""
    return _mail(to, language, "unsubscribe_link", "notice", company, link=link)


def refused_mail(to: str, language: str, *, reference: str, right: Right, reason: str, company: Company) -> Mail:
    """A refusal with its reason and the ways to complain (Art. 12(4)).

    Args:
        reason: the ground, and what the agent who decided wrote for the person.

    Raises:
        LetterIncomplete: a mandatory part is missing; such a letter cannot be sent.
    """
    named = word("right", right, language)
    mail = _mail(to, language, "refused", "notice", company, reference=reference, right=named, reason=reason.strip())
    return require(mail, "Art. 12(4) GDPR", _ways_out(reason, company, language))


def forwarded_mail(
    to: str, language: str, *, reference: str, right: Right, recipient: str, received: datetime, company: Company
) -> Mail:
    """To a customer, the controller: a recipient of its mail asks for a right (Art. 28(3)(e)). Nothing else is told."""
    did = {Right.UNSUBSCRIBE: "suppressed", Right.OBJECTION: "suppressed", Right.ERASURE: "erased"}.get(
        right, "nothing"
    )
    params = {"reference": reference, "recipient": recipient, "received": date(received, language, company.timezone)}
    params |= {"right": word("forwarded", right, language), "done": word("forwarded_done", did, language)}
    return _mail(to, language, "forwarded", "notice", company, **params)


def controller_mail(to: str, language: str, *, reference: str, names: Sequence[str], company: Company) -> Mail:
    """To the proved address: who decides about the data used for that mail, and that the request was passed on."""
    return _mail(to, language, "controller", "notice", company, reference=reference, names="\n".join(names))


def objection_refused_mail(
    to: str, language: str, *, reference: str, reason: str, lifted: datetime, company: Company
) -> Mail:
    """An objection was weighed and does not prevail (Art. 21(1)), with the notice before the lift (Art. 18(3)).

    Args:
        reason: the ground, and what the agent who decided wrote for the person.
        lifted: when the restriction is lifted.

    Raises:
        LetterIncomplete: a mandatory part is missing; such a letter cannot be sent.
    """
    day = date(lifted, language, company.timezone)
    params = {"reference": reference, "reason": reason.strip(), "lifted": day}
    mail = _mail(to, language, "objection_refused", "notice", company, **params)
    parts = {**_ways_out(reason, company, language), "the day of the lift (Art. 18(3))": day}
    return require(mail, "Art. 12(4) GDPR", parts)


def lifted_mail(to: str, language: str, *, reference: str, lifted: datetime, company: Company) -> Mail:
    """The person asked for the end of a restriction: the notice before the lift (Art. 18(3)).

    Args:
        lifted: when the restriction is lifted.
    """
    day = date(lifted, language, company.timezone)
    return _mail(to, language, "lifted", "notice", company, reference=reference, lifted=day)


def partly_refused_mail(
    to: str,
    language: str,
    *,
    reference: str,
    right: Right,
    kept: str,
    reason: str,
    until: datetime,
    company: Company,
) -> Mail:
    """Some records are kept for now, on a legal ground (Art. 12(4), 17(3)).

    Args:
        kept: what is kept and where, a line each.
        until: the last moment of the hold.

    Raises:
        LetterIncomplete: a mandatory part is missing; such a letter cannot be sent.
    """
    params = {
        "reference": reference,
        "right": word("right", right, language),
        "kept": kept,
        "reason": reason.strip(),
        "until": date(until, language, company.timezone),
    }
    mail = _mail(to, language, "partly_refused", "notice", company, **params)
    parts = {**_ways_out(reason, company, language), "what is kept": kept, "its end": params["until"]}
    return require(mail, "Art. 12(4) GDPR", parts)


def extended_mail(
    to: str,
    language: str,
    *,
    reference: str,
    right: Right,
    reason: str,
    due: datetime,
    company: Company,
    regime: str = "gdpr",
) -> Mail:
    """The answer takes longer, once (Art. 12(3); CCPA § 1798.130(a)(2)(A)).

    Raises:
        LetterIncomplete: a mandatory part is missing; such a letter cannot be sent.
    """
    params = {
        "reference": reference,
        "right": word("right", right, language),
        "reason": reason.strip(),
        "due": date(due, language, company.timezone),
        "period": word("period", regime, language),
    }
    mail = _mail(to, language, "extended", "notice", company, **params)
    return require(mail, "Art. 12(3) GDPR", {"the reasons": reason, "the new date": params["due"]})


def _ways_out(reason: str, company: Company, language: str) -> dict[str, str]:
    return {
        "the reasons": reason,
        "the supervisory authority": company.authority,
        "the way to court": say("word.court", language),
    }


# ---- layout --------------------------------------------------------------------------------------------------------

_LINK = re.compile(r"\[(?P<label>[^\]]+)\]\(\{(?P<name>\w+)\}\)")
_URL = re.compile(r"(https?://[^\s<>]+)")
_BODY = "margin:0;padding:24px 16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;line-height:1.5"
_CODE = "font-family:ui-monospace,Consolas,monospace;font-size:28px;font-weight:700;letter-spacing:2px;margin:24px 0"


def _mail(
    to: str,
    language: str,
    name: str,
    kind: str,
    company: Company,
    more_text: str = "",
    more_html: str = "",
    **params: str,
) -> Mail:
    values = {"company": company.name, "contact": company.contact, "authority": company.authority, **params}
    subject = say(f"mail.{name}_subject", language, **values)
    paragraphs = template(f"mail.{name}_body", language).split("\n\n")
    footer = template("mail.footer", language)
    text = [_text_paragraph(p, values, colon(language)) for p in paragraphs]
    text += [more_text] if more_text else []
    html = "".join(_html_paragraph(p, values) for p in paragraphs) + more_html
    return Mail(
        to=to,
        subject=subject,
        text="\n\n".join([*text, "-- \n" + _fill(footer, values)]) + "\n",
        html=_page(language, subject, html + f"<hr><p><small>{_fill_html(footer, values)}</small></p>"),
        kind=kind,
        headers={"Auto-Submitted": "auto-replied"},  # RFC 3834: no out-of-office answers please
    )


def _page(language: str, title: str, body: str, *, heading: bool = True) -> str:
    above = f'<h1 style="font-size:20px">{escape(title)}</h1>' if heading else ""
    return (
        f'<!doctype html>\n<html lang="{known(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title></head>'
        f'<body style="{_BODY}"><main style="max-width:44em;margin:0 auto">'
        f"{above}{body}</main></body></html>\n"
    )


def _text_paragraph(paragraph: str, values: dict[str, str], colon: str) -> str:
    if link := _LINK.fullmatch(paragraph.strip()):
        return f"{link['label']}{colon}\n{values[link['name']]}"
    return _fill(paragraph, values)


def _html_paragraph(paragraph: str, values: dict[str, str]) -> str:
    if link := _LINK.fullmatch(paragraph.strip()):
        return f'<p><a href="{escape(values[link["name"]])}">{escape(link["label"])}</a></p>'
    style = f' style="{_CODE}"' if paragraph.strip() == "{code}" else ""
    return f"<p{style}>{_fill_html(paragraph, values)}</p>"


def _linked(paragraph: str) -> str:
    """A paragraph of a chat text as HTML, its addresses as links."""
    parts = _URL.split(paragraph)  # every second part is an address
    shown = (f'<a href="{escape(p)}">{escape(p)}</a>' if n % 2 else escape(p) for n, p in enumerate(parts))
    return "".join(shown).replace("\n", "<br>")


def _fill(text: str, values: dict[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _fill_html(text: str, values: dict[str, str]) -> str:
    safe = {name: escape(value).replace("\n", "<br>") for name, value in values.items()}
    return _fill(escape(text), safe)

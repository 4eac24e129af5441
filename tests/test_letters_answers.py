"""What is said in a conversation by mail, with and without a code."""

from __future__ import annotations

from dataclasses import replace

from dsr import by_mail
from dsr.letters import mails
from intents import clean
from tests.test_letters import CODE, COMPANY, LINK, Outline, every_language

PLAIN = replace(COMPANY, name="Tests")  # a name with a tag in it makes the text layer read HTML


@every_language
def test_an_answer_by_mail_asks_for_the_reply_above_it_and_links_what_it_names(language: str) -> None:
    said = f"One & two.\n\nFollow it here: {LINK}"
    mail = mails.answer_mail("m@example.com", language, said, company=COMPANY, code="7K2M-9QRT", not_me_link=LINK)
    outline = Outline(mail.html)
    assert outline.open == []
    assert [a["href"] for a in outline.all("a")] == [LINK, LINK]
    assert "One & two." in outline.words
    assert mail.subject.startswith("Re: ")
    assert [line for line in mail.text.split("\n") if CODE.fullmatch(line)] == ["7K2M-9QRT"]
    for body in (mail.text, mail.html):  # sent back by a program that marks no quotation
        assert by_mail.above(clean(f"Ticket 2345\n\n{body}").new).startswith("Ticket 2345")
        assert not CODE.search(by_mail.above(clean(f"Ticket 2345\n\n{body}").new))
    plain = mails.answer_mail(
        "m@example.com", language, "One.", company=replace(COMPANY, name="Tests"), code="7K2M-9QRT"
    )
    assert clean(f"7K2M-9QRT\n\n{plain.text}").new == "7K2M-9QRT"
    assert not CODE.search(mails.answer_mail("m@example.com", language, said, company=COMPANY).text)

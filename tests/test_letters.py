"""The texts in five languages, the mails and the certificate."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dsr import conversation
from dsr.codes import new_code, wants_code_again
from dsr.letters import mails
from dsr.letters.catalogue import LANGUAGES, PLACEHOLDER, date, moment, phrase, say, texts, word
from dsr.letters.certificate import Certificate, CertificateRow, to_html, to_json, to_text
from dsr.letters.mails import Company
from dsr.messages import Mail
from dsr.model import Operation, RequestStatus, Residue, Right, Verdict
from intents.replies import answer

CODE = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}")
QUOTED = re.compile(r"[“„«]\s*([^”“»]+?)\s*[”“»]")
COMPANY = Company("Tests & Sons <b>", "dpo@company.example", "ANSPDCP (www.dataprotection.ro)", "Europe/Bucharest")
AT = datetime(2026, 12, 23, 22, 30, tzinfo=UTC)  # already the 24th in Bucharest
LINK = "https://privacy.example.com/not-me/5b0d?a=1&b=2"

every_language = pytest.mark.parametrize("language", LANGUAGES)


def certificate(complete: bool = False, **changes: object) -> Certificate:
    kept = Residue(
        "Invoices (3)",
        "legal obligation: Romanian accounting law, documents issued from 1 January 2023 (Art. 17(3)(b))",
        "2032-07-01",
        kept_by_law=True,
    )
    facts: dict[str, object] = {
        "reference": "PR-7K2M9Q",
        "right": Right.ERASURE,
        "received": AT,
        "verified": AT,
        "finished": AT,
        "due": datetime(2027, 1, 25, 21, 59, 59, tzinfo=UTC),
        "complete": complete,
        "rows": (
            CertificateRow("Intercom, Inc.", "Customer Support", Verdict.GONE, AT),
            CertificateRow(
                "Mailgun & Co. <x>",
                "Cloud Email Service",
                Verdict.ACCEPTED,
                AT,
                residue=(Residue("some <new> records", "the vendor says so", "30 days"),),
            ),
            CertificateRow("HotJar", "Analytics, Online Advertising", Verdict.WITH_A_PERSON, until="2027-01-10"),
            CertificateRow("IntelliMails", "", Verdict.KEPT, AT, "2032-07-01", (kept,), note="suppress"),
        ),
        "controller": "S.C. InteliX Software S.R.L.",
        "dpo": "dpo@company.example",
        "authority": "ANSPDCP, www.dataprotection.ro",
        "derivation": "received 24 December 2026; one month; moved off a holiday",
        "timezone": "Europe/Bucharest",
    }
    return Certificate(**{**facts, **changes})  # type: ignore[arg-type]


def every_mail(language: str) -> dict[str, Mail]:
    to, code, link = "maria@example.com", new_code(), LINK
    about = {"reference": "PR-7K2M9Q", "company": COMPANY}
    confirmed = {**about, "due": AT, "status_link": link, "not_me_link": link}
    refusal = {**about, "right": Right.ACCESS, "reason": "because\nof <this> & that"}
    return {
        "code": mails.code_mail(to, language, code, link, company=COMPANY),
        "page": mails.code_mail(to, language, code, link, company=COMPANY, on_page=True),
        "erasure": mails.verified_mail(to, language, right=Right.ERASURE, start=AT, **confirmed),  # type: ignore[arg-type]
        "export": mails.verified_mail(to, language, right=Right.EXPORT, **confirmed),  # type: ignore[arg-type]
        "package": mails.package_mail(to, language, link=link, expires=AT, **about),  # type: ignore[arg-type]
        "certificate": mails.certificate_mail(to, language, certificate(), company=COMPANY),
        "agent": mails.agent_opened_mail(
            to,
            language,
            right=Right.ERASURE,
            link=link,
            code=code,
            not_me_link=link,
            **about,  # type: ignore[arg-type]
        ),
        "unsubscribe": mails.unsubscribe_link_mail(to, language, link=link, company=COMPANY),
        "not_me": mails.not_me_mail(to, language, **about),  # type: ignore[arg-type]
        "refused": mails.refused_mail(to, language, **refusal),  # type: ignore[arg-type]
        "extended": mails.extended_mail(to, language, due=AT, **refusal),  # type: ignore[arg-type]
    }


class Outline(HTMLParser):
    """Tags, the words between them, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# ---- catalogues ----------------------------------------------------------------------------------------------------


@every_language
def test_every_language_has_the_same_keys_and_placeholders(language: str) -> None:
    english, other = texts("en"), texts(language)
    assert other.keys() == english.keys()
    for key, text in other.items():
        assert sorted(set(PLACEHOLDER.findall(text))) == sorted(set(PLACEHOLDER.findall(english[key]))), key


@every_language
def test_no_text_is_empty_or_looks_like_a_code_or_has_loose_braces(language: str) -> None:
    for key, text in texts(language).items():
        assert text, key
        assert not CODE.search(text), key
        assert not re.search(r"[{}]", PLACEHOLDER.sub("", text)), key
        assert "  " not in text, key
        assert "XXXX" not in text, key


def test_translations_are_translated_except_words_that_are_the_same_everywhere() -> None:
    for language in LANGUAGES[1:]:
        same = {key for key, text in texts(language).items() if len(text) > 25 and text == texts("en")[key]}
        assert same == set(), language


def test_diacritics_and_quotation_marks_are_those_of_the_language() -> None:
    whole = {language: "\n".join(texts(language).values()) for language in LANGUAGES}
    assert not re.search("[şţŞŢ]", whole["ro"])  # the cedilla is Turkish
    assert re.search("ș", whole["ro"])
    assert re.search("ț", whole["ro"])
    assert not re.search(" [?!:;»]|« ", whole["fr"])  # a no-break space stands there
    for language, marks in {"en": "“”", "ro": "„”", "de": "„“", "fr": "«»", "es": "«»"}.items():
        assert set(re.findall("[“”„«»]", whole[language])) == set(marks), language
        assert '"' not in whole[language], language


def test_people_are_addressed_formally() -> None:
    informal = {
        "de": r"\b(?:du|dein\w*|dich|dir)\b",
        "fr": r"\b(?:tu|ton|ta|tes|toi)\b",
        "es": r"\b(?:tú|tu|tus|ti|puedes|quieres|tienes)\b",
        "ro": r"\b(?:tu|tău|tale|ta|poți|vrei|dorești)\b",
    }
    for language, pattern in informal.items():
        for key, text in texts(language).items():
            assert not re.search(pattern, text, re.IGNORECASE), (language, key)


@every_language
def test_every_placeholder_is_filled(language: str) -> None:
    for key, text in texts(language).items():
        names = PLACEHOLDER.findall(text)
        said = say(key, language, **{name: f"<{name}>" for name in names})
        assert all(f"<{name}>" in said for name in names)
        assert not PLACEHOLDER.search(said)


def test_a_value_with_braces_is_not_filled_again() -> None:
    assert "{due}" in say("withdrawn", "en", reference="{due}")


def test_an_unknown_language_gives_english_and_a_regional_one_its_language() -> None:
    assert say("code_expired", "pl") == say("code_expired", "en")
    assert say("code_expired", "de-AT") == say("code_expired", "de") != say("code_expired", "en")


def test_an_unknown_key_or_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("no_such_text", "en")
    with pytest.raises(KeyError):
        say("withdrawn", "en")


def test_every_text_that_the_conversation_names_exists() -> None:
    tree = ast.parse(Path(conversation.__file__).read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Say"]
    named = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    named |= {f"ask_{i}" for i in ("unsubscribe", "delete", "export", "age_report", "object")}
    named |= {f"code_{result}" for result in ("wrong", "void", "expired")}
    named |= {f"opened_{right}" for right in (Right.UNSUBSCRIBE, Right.OBJECTION, Right.AGE_REPORT)}
    proved = [r for r in Right if r not in (Right.UNSUBSCRIBE, Right.AGE_REPORT)]
    named |= {f"{kind}_{right}" for kind in ("understood", "proved") for right in proved}
    assert len(named) > 30
    assert {f"reply.{key}" for key in named} <= texts("en").keys()


@every_language
def test_every_right_status_verdict_and_operation_has_a_name(language: str) -> None:
    for kind, values in {"right": Right, "status": RequestStatus, "verdict": Verdict, "meaning": Verdict}.items():
        assert all(word(kind, value, language) for value in values)
    assert all(word("operation", o, language) for o in Operation if o not in (Operation.FIND, Operation.ERASE))


@every_language
def test_the_words_that_we_ask_people_to_write_are_understood(language: str) -> None:
    for key in ("code_sent", "code_sent_again", "code_awaited", "code_void", "code_expired", "code_limit"):
        quoted = QUOTED.findall(texts(language)[f"reply.{key}"])
        assert quoted, key
        assert all(wants_code_again(text) for text in quoted), key
    for key in ("proved_erasure", "proved_erasure_after_export"):
        assert [answer(text) for text in QUOTED.findall(texts(language)[f"reply.{key}"])] == ["deny"], key
    assert answer(say("word.yes", language)) == "affirm"
    assert answer(say("word.no", language)) == "deny"


@every_language
def test_what_is_said_before_proof_reveals_nothing_and_takes_no_facts(language: str) -> None:
    for key, text in texts(language).items():
        if re.match(r"reply\.(understood_|code_sent|code_awaited|code_limit|ask_)", key):
            assert not PLACEHOLDER.search(text), key


def test_dates_are_long_and_stand_in_the_time_zone() -> None:
    assert date(AT, "en", "Europe/Bucharest") == "24 December 2026"
    assert date(AT, "en", "UTC") == "23 December 2026"
    assert moment(AT, "en", "Europe/Bucharest") == "24 December 2026 at 00:30"
    assert moment(AT, "de", "Europe/Bucharest") == "24. Dezember 2026 um 00:30 Uhr"
    assert moment(AT, "ro", "Europe/Bucharest") == "24 decembrie 2026, ora 00:30"
    assert date(datetime(2026, 5, 1, tzinfo=UTC), "fr", "UTC") == "1er mai 2026"
    assert date(AT, "pl", "UTC") == "23 December 2026"


def test_a_phrase_of_a_connector_is_translated_or_stays_english() -> None:
    assert phrase("analytics.", "de") == ("Analyse", "de")
    assert phrase("Invoices (3)", "de") == ("Rechnungen (3)", "de")
    assert phrase("Something new (3)", "de") == ("Something new (3)", "en")
    assert phrase("", "de") == ("", "en")


# ---- mails ---------------------------------------------------------------------------------------------------------


@every_language
def test_the_code_stands_alone_on_its_line_and_nothing_else_looks_like_one(language: str) -> None:
    for name, mail in every_mail(language).items():
        expected = 1 if name in ("code", "page", "agent") else 0
        assert len(CODE.findall(mail.text)) == expected, name
        assert len([line for line in mail.text.split("\n") if CODE.fullmatch(line)]) == expected, name
        assert len(CODE.findall(mail.html)) == expected, name
        assert not CODE.search(mail.subject), name


@every_language
def test_every_code_mail_links_the_page_for_this_was_not_me(language: str) -> None:
    for name in ("code", "page", "agent", "erasure", "export"):
        mail = every_mail(language)[name]
        assert LINK in mail.text.split("\n"), name
        assert any(a["href"] == LINK for a in Outline(mail.html).all("a")), name


@every_language
def test_mails_are_whole_escaped_and_in_the_language(language: str) -> None:
    for name, mail in every_mail(language).items():
        outline = Outline(mail.html)
        assert outline.open == [], name
        assert outline.all("html") == [{"lang": language}], name
        assert "<b>" not in mail.html, name
        assert "Tests & Sons <b>" in outline.words, name
        assert mail.headers == {"Auto-Submitted": "auto-replied"}, name
        assert not PLACEHOLDER.search(mail.subject + mail.text + outline.words), name
        assert outline.words.count(mail.subject) >= 2, name  # title and heading
        assert not [tag for tag, _ in outline.tags if tag in ("img", "script", "link")], name
        assert bool(outline.all("table")) == (name == "certificate"), name
        assert "maria@example.com" not in mail.text + mail.html + mail.subject, name


def test_a_code_mail_is_the_same_whatever_is_known_of_the_address() -> None:
    one = mails.code_mail("a@example.com", "en", "7K2M-9QRT", LINK, company=COMPANY)
    other = mails.code_mail("b@example.com", "en", "7K2M-9QRT", LINK, company=COMPANY)
    assert (one.subject, one.text, one.html, one.kind) == (other.subject, other.text, other.html, "code")


def test_a_refusal_or_extension_without_a_reason_cannot_be_written() -> None:
    for reason in ("", "  \n"):
        with pytest.raises(ValueError, match=r"Art\. 12"):
            mails.refused_mail("a@b.cz", "en", reference="R", right=Right.ACCESS, reason=reason, company=COMPANY)
        with pytest.raises(ValueError, match=r"Art\. 12"):
            mails.extended_mail(
                "a@b.cz", "en", reference="R", right=Right.ACCESS, reason=reason, due=AT, company=COMPANY
            )


@every_language
def test_a_refusal_names_reason_authority_and_court(language: str) -> None:
    mail = every_mail(language)["refused"]
    assert "because\nof <this> & that" in mail.text
    assert "because<br>of &lt;this&gt; &amp; that" in mail.html
    assert COMPANY.authority in mail.text
    assert re.search(r"court|instanței|Gericht|tribunal", mail.text)


# ---- certificate ---------------------------------------------------------------------------------------------------


@every_language
def test_a_certificate_shows_every_verdict_in_text_and_html(language: str) -> None:
    cert = certificate()
    cert = replace(cert, rows=(*cert.rows, CertificateRow("HubSpot", "CRM", Verdict.AT_VENDOR, until="2027-02-11")))
    page = Outline(to_html(cert, language))
    for said in (to_text(cert, language), page.words):
        for verdict in Verdict:
            assert word("verdict", verdict, language) in said
            assert word("meaning", verdict, language) in said
        for row in cert.rows:
            assert row.processor_label in said
        assert say("word.partial", language) in said
        assert say("word.complete", language) not in said
        assert date(datetime(2027, 1, 10, tzinfo=UTC), language, "UTC") in said  # with a person until
        assert phrase("Invoices", language)[0] in said
        assert word("operation", "suppress", language) in said
        assert "dpo@company.example" in said
        assert "ANSPDCP, www.dataprotection.ro" in said
        assert not PLACEHOLDER.search(said)


@every_language
def test_a_complete_certificate_says_so_and_explains_only_what_occurs(language: str) -> None:
    cert = certificate(complete=True, rows=certificate().rows[:1])
    for said in (to_text(cert, language), Outline(to_html(cert, language)).words):
        assert say("word.complete", language) in said
        assert say("word.partial", language) not in said
        assert word("meaning", "with_a_person", language) not in said


def test_the_page_is_accessible_and_escaped() -> None:
    html = to_html(certificate(), "ro")
    page = Outline(html)
    assert page.open == []
    assert page.all("html") == [{"lang": "ro"}]
    assert [th["scope"] for th in page.all("th")] == ["col"] * 4 + ["row"] * 4
    assert len(page.all("h1")) == 1
    assert "Mailgun & Co. <x>" in page.words
    assert "<x>" not in html
    assert "<new>" not in html
    assert '<span lang="en">some &lt;new&gt; records</span>' in html  # not translated, and marked as such
    assert "prefers-color-scheme:dark" in html
    assert "@media print" in html
    assert not re.search(r"https?://|<script|url\(", html)


def test_residue_is_told_with_ground_and_end() -> None:
    text = to_text(certificate(), "de")
    assert "Was bleibt: some <new> records; the vendor says so; höchstens 30 Tage" in text
    kept = next(line for line in text.split("\n") if "Rechnungen (3)" in line)
    assert "Buchführungsrecht" in kept
    assert "gesetzlich vorgeschrieben" in kept
    assert kept.endswith("bis 1. Juli 2032")


def test_the_certificate_for_machines_can_be_read_back() -> None:
    cert = json.loads(to_json(certificate()))
    assert cert["status"] == "partially_completed"
    assert cert["reference"] == "PR-7K2M9Q"
    assert cert["right"] == "erasure"
    assert [row["verdict"] for row in cert["rows"]] == ["gone", "accepted", "with_a_person", "kept"]
    assert cert["received"] == "2026-12-23T22:30:00+00:00"
    assert cert["rows"][3]["residue"][0]["until"] == "2032-07-01"


def test_a_right_without_proof_has_no_line_about_identity() -> None:
    assert say("word.verified", "en") not in to_text(certificate(verified=None), "en")
    assert say("word.verified", "en") in to_text(certificate(), "en")

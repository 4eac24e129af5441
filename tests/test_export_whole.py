"""Maria's package from every processor over real HTTP: schema, masks in shared threads, the page, both profiles."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from dsr import commands, export, requests
from dsr.letters.catalogue import LANGUAGES, phrase, say
from dsr.model import RequestStatus, Right
from dsr.package.masking import AGENT, MESSAGE
from dsr.package.sheet import sections, to_html
from tests.house import House

MARIA = "maria.pop@example.com"
THIRD = "ion.third@example.org"
SECRETS = ("ion.third@", "Ion Third", "721 555 666")
# Those whose table says that they export, and whose twin knows Maria.
EXPORTING = """own_database intercom zendesk hotjar baremetrics dropbox meta sentry microsoft smartsupp slack mailgun
paddle atlassian mailchimp hubspot"""


def taken(house: House, right: Right, language: str = "en") -> zipfile.ZipFile:
    """A package that the real worker made."""
    desk = house.desk
    with desk.db.write() as conn:
        reference = requests.open_request(
            desk,
            conn,
            right,
            MARIA,
            received_at=desk.now(),
            channel="agent",
            status=RequestStatus.IDENTITY_PENDING,
            opened_by="agent:U0AGENT",
            language=language,
        )
        commands.verified(desk, conn, reference, by="code")

    def ready() -> bool:
        with desk.db.read() as conn:
            return export.read(desk, conn, reference) is not None

    house.wait(ready, "the package", patience=60)
    with desk.db.read() as conn:
        stream = export.read(desk, conn, reference)
    assert stream is not None
    return zipfile.ZipFile(io.BytesIO(b"".join(stream)))


@pytest.fixture(scope="module")
def packages(house: House) -> dict[Right, zipfile.ZipFile]:
    for twin in house.twins.values():
        twin.reset()  # another test may have had Maria erased
    for channel in ("intercom", "zendesk"):
        thread = house.say(channel, "How do I import my contacts?", MARIA)
        theirs = f"I am Ion Third, reach me at {THIRD} or +40 721 555 666."
        house.say(channel, theirs, THIRD, thread, name="Ion Third")
        house.say(channel, f"I have written to {THIRD} about it.", MARIA, thread)
    return {right: taken(house, right) for right in (Right.ACCESS, Right.EXPORT)}


def texts(archive: zipfile.ZipFile) -> dict[str, str]:
    return {name: archive.read(name).decode("utf-8", "replace") for name in archive.namelist()}


def rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(archive.read(name))
    return found


def test_every_processor_that_exports_is_in_the_package(packages: dict[Right, zipfile.ZipFile]) -> None:
    listed = json.loads(packages[Right.ACCESS].read("manifest.json"))["files"]
    found = {f["processor"] for f in listed if "processor" in f} - {"privacy_desk"}  # ours: if she has written to us
    assert found == set(EXPORTING.split())


def test_every_file_of_every_processor_fits_the_schema_beside_it(packages: dict[Right, zipfile.ZipFile]) -> None:
    for archive in packages.values():
        files = json.loads(archive.read("manifest.json"))["files"]
        described = [f for f in files if "schema" in f and f["path"].endswith(".json")]
        assert len(described) > 40
        for file in described:
            schema = json.loads(archive.read(file["schema"]))
            jsonschema.Draft202012Validator.check_schema(schema)
            jsonschema.validate(rows(archive, file["path"]), schema)
            assert len(rows(archive, file["path"])) == file["rows"]


def test_in_two_shared_threads_the_third_person_is_masked_and_marias_own_words_stay(
    packages: dict[Right, zipfile.ZipFile],
) -> None:
    for archive in packages.values():
        found = texts(archive)
        told = {name: s for name, text in found.items() for s in SECRETS if s in text}
        assert not told
        for thread in ("intercom/conversations.json", "zendesk/comments.json"):
            assert "How do I import my contacts?" in found[thread]
            assert "I have written to [another person " in found[thread]
        assert MESSAGE in found["intercom/conversations.json"]
        assert "another person" in found["zendesk/comments.json"]
        reasons = {(m["file"], m["kind"]) for m in rows(archive, "masked.json")}
        assert {("intercom/conversations.json", "message"), ("zendesk/comments.json", "message")} <= reasons
        assert {("intercom/conversations.json", "address"), ("zendesk/comments.json", "address")} <= reasons


def test_agents_are_not_named(packages: dict[Right, zipfile.ZipFile]) -> None:
    notes = packages[Right.ACCESS].read("intercom/notes.json").decode()
    assert "andrei@" not in notes
    assert AGENT in notes


def test_marias_own_data_is_whole(packages: dict[Right, zipfile.ZipFile]) -> None:
    archive = packages[Right.ACCESS]
    (account,) = rows(archive, "own_database/accounts.json")
    assert (account["email"], account["full_name"]) == (MARIA, "Maria Pop")
    for contact in rows(archive, "intercom/contacts.json"):
        assert contact["email"] == MARIA
        assert "another person" not in json.dumps(contact)


def test_portability_is_without_what_the_company_made(packages: dict[Right, zipfile.ZipFile]) -> None:
    portable, whole = (set(packages[right].namelist()) for right in (Right.EXPORT, Right.ACCESS))
    left_out = {n for n in whole - portable if n.endswith(".json") and ".schema." not in n}
    assert {
        "intercom/notes.json",
        "own_database/invoices.json",
        "zendesk/internal_notes.json",
        "information.json",
    } <= left_out
    origins = {f.get("origin") for f in json.loads(packages[Right.EXPORT].read("manifest.json"))["files"]}
    assert origins == {"provided", "observed", None}


def test_the_page_links_every_file_that_exists_and_needs_nothing_from_outside(
    packages: dict[Right, zipfile.ZipFile],
) -> None:
    for archive in packages.values():
        html = archive.read("index.html").decode()
        assert "<script" not in html
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)
        links = {unquote(link) for link in re.findall(r'href="([^"#][^"]*)"', html)}
        assert links <= set(archive.namelist())
        assert {n for n in archive.namelist() if "/" in n} <= links


def test_the_access_sheet_names_every_recipient_category_and_authority_in_the_persons_language(house: House) -> None:
    policy = house.desk.policy
    for language in LANGUAGES:
        html = to_html(sections(policy, language), language)
        for processor in policy.processors:
            assert processor.label.replace("&", "&amp;") in html
        assert policy.authority.site in html
        assert say("package.info_purposes", language) in html.replace("&#x27;", "'")
        assert phrase("Invoices and other accounting documents", language)[0] in html.replace("&#x27;", "'")
        assert "unset" not in html
    articles = {s.article for s in sections(policy, "en")}
    assert {
        "Art. 15(1)(c)",
        "Art. 15(1)(d)",
        "Art. 15(1)(e)",
        "Art. 15(1)(f)",
        "Art. 15(1)(h)",
        "Art. 15(2)",
    } <= articles

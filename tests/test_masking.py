"""Other people in the export package: found in every shape of a record and masked; what is the person's stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dsr import export
from dsr.letters.catalogue import say
from dsr.model import DataFile, Identities, Identity, Right
from dsr.package.masking import AGENT, MESSAGE, NOT_SEARCHED, Masker
from tests.pages_desk import MARIA, World, make_world
from tests.test_export import opened, rows


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def masker() -> Masker:
    subject = Identities.of_email(MARIA).plus([Identity("account_id", "acc-1")])
    return Masker(subject, "intellimails.com", b"key")


def masked(masker: Masker, *rows: dict[str, Any]) -> Any:
    """A file of rows, as it comes out; the only row if there is one."""
    for row in rows:
        masker.learn(row)
    found = [masker.row(row) for row in rows]
    return found[0] if len(found) == 1 else found


def test_addresses_of_others_are_masked_everywhere_and_the_persons_own_stay() -> None:
    mine = masker()
    text = "ask Ion Ionescu <ion@example.com> or ion@example.com, not maria.pop@example.com, Maria.Pop+x@Example.com"
    row = masked(
        mine, {"id": 1, "body": text, "cc": ["eva@example.org", MARIA], "url": "https://h/?to=ion%40example.com"}
    )
    assert "ion@" not in str(row).lower()
    assert "Ionescu" not in str(row)
    assert "eva@" not in str(row)
    assert row["body"].endswith("not maria.pop@example.com, Maria.Pop+x@Example.com")
    mark = row["url"].removeprefix("https://h/?to=")
    assert row["body"].startswith(f"ask {mark} or {mark}, not")
    assert mine.counts == {"address": 4}


def test_who_writes_with_another_person_learns_nothing_but_that_there_was_one() -> None:
    mine = masker()
    row = masked(
        mine,
        {
            "author": {"id": "c-2", "name": "Ion Ionescu", "email": "ion@example.com", "phone": "+40 721 000 111"},
            "body": "Ion Ionescu here, call +40 721 000 111. Ion",
            "replies": [
                {"author": {"id": "c-1", "name": "Maria Pop", "email": MARIA}, "body": "Mine is +40 722 333 444, Ion."},
                {"author": {"type": "admin", "id": "9", "name": "Andrei Stan"}, "body": "Andrei Stan will help."},
                {"author": {"id": "c-1", "name": "Maria Pop"}, "body": "Thank you! Maria Pop"},
            ],
        },
    )
    text = json.dumps(row)
    assert not [secret for secret in ("Ion", "721", "Andrei", "ion@") if secret in text]
    assert row["replies"][0]["body"].startswith("Mine is +40 722 333 444, [another person ")
    assert row["replies"][1] == {"author": {"type": "admin", "id": "9", "name": AGENT}, "body": f"{AGENT} will help."}
    assert row["replies"][2]["author"]["name"] == "Maria Pop"
    assert row["replies"][2]["body"] == "Thank you! Maria Pop"


def test_agents_are_support_agents_and_role_mailboxes_stay() -> None:
    mine = masker()
    row = masked(mine, {"from": "Andrei Stan <andrei@intellimails.com>", "reply_to": "support@intellimails.com"})
    assert row == {"from": AGENT, "reply_to": "support@intellimails.com"}
    assert mine.counts == {"agent": 1}


@pytest.mark.parametrize("text", ["logo@2x.png", "sentry.javascript@8.1.2", "5 @ 3.50", "@maria", "a@b"])
def test_what_only_looks_like_an_address_stays(text: str) -> None:
    assert masked(masker(), {"x": text}) == {"x": text}


def test_message_ids_and_the_words_of_a_profile_stay() -> None:
    row = {
        "Message-Id": "<2026.1@mg.example.com>",
        "email": MARIA,
        "phone": "+40722333444",
        "company": {"name": "Pop SRL"},
    }
    assert masked(masker(), row) == row


def test_a_text_made_to_be_slow_is_not() -> None:
    import time

    began = time.perf_counter()
    for text in (
        "a" * 200_000 + "@",
        "-" * 200_000 + "@x",
        "a" + " " * 200_000 + "<@",
        "a@" * 50_000,
        '"' * 100_000 + "@",
    ):
        masked(masker(), {"x": text})
    assert time.perf_counter() - began < 5


def test_the_reason_list_names_file_kind_and_article(world: World) -> None:
    reference = world.verified(Right.ACCESS)
    thread = [{"author": {"name": "Ion", "email": "ion@example.com"}, "body": MESSAGE}, {"body": "eva@example.org"}]
    export.collect(world.desk, reference, "intercom", [DataFile("conversations.json", rows=iter(thread))])
    listed = rows(opened(world, reference), "masked.json")
    assert [(m["file"], m["kind"], m["count"]) for m in listed] == [
        ("intercom/conversations.json", "address", 2),
        ("intercom/conversations.json", "message", 1),
        ("intercom/conversations.json", "name", 1),
    ]
    assert {m["reason"] for m in listed} == {"GDPR Art. 15(4): the rights and freedoms of others"}


def test_the_mask_list_and_the_page_say_that_attached_files_were_not_searched(world: World) -> None:
    for attached in (True, False):
        reference = world.verified(Right.ACCESS)
        files = [DataFile("a.json", rows=iter([{"id": 1}]))]
        if attached:
            files.append(DataFile("chat.txt", content=iter([b"from eva@example.org"]), media_type="text/plain"))
        export.collect(world.desk, reference, "intercom", files)
        archive = opened(world, reference)
        listed = [(m["file"], m["kind"], m["count"], m["reason"]) for m in rows(archive, "masked.json")]
        assert listed == ([("intercom/chat.txt", "attachment", 0, NOT_SEARCHED)] if attached else [])
        assert (say("package.masked_not_files", "en") in archive.read("index.html").decode()) == attached


ION = {"name": "Ion Ionescu", "email": "ion@example.com"}
MARIA_POP = {"name": "Maria Pop", "email": MARIA}


def test_a_name_is_masked_in_the_rows_before_the_one_that_tells_whose_it_is(world: World) -> None:
    reference = world.verified(Right.ACCESS)
    thread = [{"body": "As Ion Ionescu told me"}, *({"n": n} for n in range(3000)), {"author": ION, "body": "hi"}]
    export.collect(world.desk, reference, "intercom", [DataFile("t.json", rows=iter(thread))])
    archive = opened(world, reference)
    found = rows(archive, "intercom/t.json")
    assert found[0]["body"] == f"As {found[-1]['author']['name']} told me"
    assert "Ion" not in archive.read("intercom/t.csv").decode() + archive.read("index.html").decode()
    spool = export.folder(world.desk, reference) / "intercom.spool"
    assert {p.name for p in spool.iterdir()} == {"0.part", "contents"}  # what was not masked yet is gone


def test_the_persons_name_that_a_later_row_tells_is_not_taken_for_somebody_elses() -> None:
    first, _ = masked(masker(), {"author": {"name": "Maria Pop"}, "body": "Maria Pop here"}, {"author": MARIA_POP})
    assert first == {"author": {"name": "Maria Pop"}, "body": "Maria Pop here"}
    first, _ = masked(masker(), {"user": {"id": 7, "name": "Mimi"}, "body": "Mimi"}, {"user": {**MARIA_POP, "id": 7}})
    assert first["body"] == "Mimi"
    first, _ = masked(masker(), {"author": "Maria Pop"}, {"from": f"Maria Pop <{MARIA}>"})
    assert first == {"author": "Maria Pop"}


@pytest.mark.parametrize(
    "row",
    [
        {"author_name": "Ion Ionescu", "author_email": "ion@example.com", "author_phone": "+40 722 111 222"},
        {"requester_name": "Ion Ionescu", "phone": "0722 111 222"},
        {"authorName": "Ion Ionescu", "authorPhone": "555"},
        {"ticket_author_display_name": "Ion Ionescu"},
        {"cc_name": "Ion Ionescu", "created_by_name": "Ion Ionescu"},
        {"user_name": "Ion Ionescu"},
        {"author": "Ion Ionescu"},
        {"author": "ion ionescu"},
        {"author": "Ion"},
        {"from": "Ion Ionescu", "to": "Ion Ionescu"},
        {"participants": ["Ion Ionescu", "Maria Pop"]},
        {"created_by": "Ion Ionescu"},
        {"from": "Ion Ionescu <ion@example.com>", "body": "Ion: 0722 111 222"},
        {"author": {"phone": "555 12 3"}},
    ],
)
def test_names_and_telephones_of_others_are_masked_in_every_shape_of_a_record(row: dict[str, Any]) -> None:
    mine = masker()
    text = json.dumps(masked(mine, {"user": MARIA_POP}, row)[1])
    assert not [secret for secret in ("ion", "Ion", "722", "555", "escu") if secret in text.replace("mention", "")]
    assert sum(mine.counts.values()) > 0
    assert ("Maria Pop" in json.dumps(row)) == ("Maria Pop" in text)


@pytest.mark.parametrize(
    "row",
    [
        {"email": MARIA, "user_name": "mpop", "contact_name": "Maria P.", "user": "Maria P.", "customer_phone": "0733"},
        {"event_name": "Uploaded List", "file_name": "Ana Banana.csv", "list_name": "Friends of Ion", "event_id": 4},
        {"field": "status", "from": "To Do", "to": "In Progress"},
        {"from": "2026-01-01", "to": "2026-02-01", "author": "api", "type": "user", "sender": "4711"},
        {"user_agent": "Mozilla Firefox", "user_id": "u-1", "author": "customer"},
        {"from": "Intelli Mails <news@mails.example.com>", "body": "Intelli Mails says hello"},
        {"author": "you", "body": "if you ask me"},
        {"author": "acc-1", "body": "on 01.02.2026 10:20 I paid 0.12345678"},
    ],
)
def test_what_is_the_persons_or_no_name_stays(row: dict[str, Any]) -> None:
    assert masked(masker(), row) == row


@pytest.mark.parametrize("text", ["ion ionescu", "IONESCU", "Ion", "Ionescu", "of ion", "ion_ionescu", "Ion  Ionéscu"])
def test_a_name_is_found_in_any_case_and_without_accents(text: str) -> None:
    row = masked(masker(), {"author": {**ION, "name": "Ion Ionescu"}, "body": f"Ask {text} now"})
    assert row["body"].removeprefix("Ask ").removeprefix("of ") == f"{row['author']['name']} now"


def test_a_name_that_is_a_word_stays_a_word_in_lower_case() -> None:
    author = {"name": "Will Mark Stone", "email": "will@example.com"}
    row = masked(masker(), {"author": author, "body": "will you mark this, will mark stone? Will", "state": "mark"})
    mark = row["author"]["name"]
    assert (row["body"], row["state"]) == (f"will you mark this, {mark}? {mark}", "mark")


def test_own_addresses_stay_whole_though_somebody_has_a_part_of_them_as_a_name() -> None:
    row = masked(masker(), {"author": {"name": "Pop Dan", "email": "dan@example.com"}, "body": f"from {MARIA} by pop"})
    assert row["body"] == f"from {MARIA} by {row['author']['name']}"


def test_a_stranger_with_the_same_first_name_is_not_the_person() -> None:
    stranger = {"author": {"name": "Maria"}, "body": "I am another Maria, my number is +40 722 111 222"}
    rows = masked(
        masker(), {"author": MARIA_POP, "body": "Maria"}, stranger, {"from": {"name": "Pop"}}, {"author": "Maria"}
    )
    assert rows[0] == {"author": MARIA_POP, "body": "Maria"}
    text = json.dumps(rows[1:])
    assert "722" not in text
    assert '"Pop"' not in text
    assert '"Maria"' not in text
    first_and_last = {"user": {"first_name": "Maria", "last_name": "Pop", "email": MARIA}}
    again = masked(masker(), first_and_last, {"user": {"first_name": "Maria"}}, {"author": {"name": "POP, Maria"}})
    assert again[1]["user"]["first_name"] != "Maria"
    assert again[2]["author"]["name"] == "POP, Maria"


def test_the_number_of_a_record_of_the_person_makes_nobody_with_that_number_the_person() -> None:
    _, row = masked(masker(), {"id": 5, "email": MARIA, "subject": "x"}, {"author": {"id": 5, "name": "Ion Ionescu"}})
    assert "Ion" not in row["author"]["name"]


@pytest.mark.parametrize(
    "phone",
    ["0722 111 222", "0722111222", "(0722) 111-222", "06 12 34 56 78", "030/1234567", "612 345 678", "(212) 555-0100"],
)
def test_a_telephone_as_it_is_written_at_home_is_masked_in_the_words_of_others(phone: str) -> None:
    mine = masked(masker(), {"user": {**MARIA_POP, "phone": phone}}, {"author": ION, "body": f"call {phone}."})[1]
    assert mine["body"] == f"call {phone}."  # her own, said by somebody else
    theirs = masked(masker(), {"author": ION, "body": f"call {phone}, order 4711 of 01.02.2026 10:20:30"})
    assert theirs["body"] == "call [telephone number], order 4711 of 01.02.2026 10:20:30"


def test_a_thread_of_many_people_is_masked_in_time_and_memory() -> None:
    """5,000 authors, each named by another: quick, because a word is looked up and not every name tried."""
    import time

    def name(n: int) -> str:
        return "".join("abcdefghij"[int(digit)] for digit in f"{n:05}").title()

    thread = [
        {
            "author": {"name": f"{name(n)} Q{name(n)}", "email": f"u{n}@example.com"},
            "body": f"{'as we said ' * 20} {name(n + 1)}",
        }
        for n in range(5000)
    ]
    began = time.perf_counter()
    found = masked(masker(), *thread)
    assert time.perf_counter() - began < 10
    assert not [n for n in range(4999) if name(n + 1) in found[n]["body"]]

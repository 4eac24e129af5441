"""Mail as a channel: what a route posts, what decides who is writing, threads, the kept copy, unsubscribing."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from dsr import by_mail
from dsr.errors import PayloadNotUnderstood
from dsr.messages import ConversationRef, Delivery, Evidence, InboundMessage, Mail, SuppressionReported
from integrations.channel import Channel
from integrations.mail import from_lines, in_conversation
from integrations.mailgun import VENDOR, inbound
from integrations.mailgun.channel import MailgunChannel
from integrations.mailgun.settings import MailgunSettings
from integrations.mailgun.twin import MailgunTwin
from tests.contracts import ChannelContract
from tests.house import House
from tests.mailgun import ENV
from tests.twins import MARIA, Inbox, Served, delivery, receiving, serving

MAIL_ENV = {**ENV, "MAILGUN_SPAM_FILTER": "true"}
TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
KIND = {"Content-Type": "application/x-www-form-urlencoded"}
SIGNED_BY = "v=1; a=rsa-sha256; d=example.com; s=m; bh=x; b=y"
HEADERS = [
    ["X-Mailgun-Dkim-Check-Result", "Pass"],
    ["Dkim-Signature", SIGNED_BY],
    ["From", f"Maria Pop <{MARIA}>"],
    ["To", "dpo@intellimails.com"],
    ["Subject", "My data"],
    ["Message-Id", "<first@mail.example.com>"],
]


def fields(*changed: list[str], without: str = "", **more: str) -> dict[str, str]:
    """The fields of a route's POST; headers replaced by name."""
    names = {name for name, _ in changed} | {without}
    headers = [*(h for h in HEADERS if h[0] not in names), *changed]
    return {
        "recipient": "dpo@intellimails.com",
        "sender": MARIA,
        "from": f"Maria Pop <{MARIA}>",
        "subject": "My data",
        "body-plain": "Please delete my data",
        "message-headers": json.dumps(headers),
        **more,
    }


def signature(at: float, token: str = TOKEN) -> dict[str, str]:
    timestamp, key = str(int(at)), ENV["MAILGUN_WEBHOOK_SIGNING_KEY"].encode()
    hex = hmac.new(key, (timestamp + token).encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": hex}


def posted(form: Mapping[str, str]) -> Delivery:
    """A form as the web process hands it over."""
    made = delivery(urlencode(form).encode(), KIND, path="/webhooks/mailgun")
    return dataclasses.replace(made, form=dict(form))


class TestMailgunRoutes(ChannelContract):
    vendor, env, path, is_json = VENDOR, MAIL_ENV, "mailgun", False
    genuine = urlencode(fields()).encode()
    own = tuple(
        urlencode(form).encode()
        for form in (
            fields(sender=""),
            fields(["From", "Mail Delivery <mailer-daemon@mail.example.com>"]),
            fields(["From", "privacy@mg.example.com"]),
            fields(["Auto-Submitted", "auto-replied"]),
            fields(["Auto-Submitted", "auto-generated; owner-email=x"]),
            fields(["X-Autoreply", "yes"]),
            fields(["Precedence", "bulk"]),
            fields(["List-Id", "<talk.example.com>"]),
            fields(["Content-Type", "multipart/report; report-type=delivery-status"]),
            fields(["From", "nobody"]),
        )
    )

    def sent(self, body: bytes) -> Delivery:
        try:
            form = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        except ValueError:
            form = {}
        return posted({**form, **signature(time.time())})

    def stale(self, body: bytes) -> Delivery | None:
        return posted({**self.sent(body).form, **signature(time.time() - 301)})

    def forgeries(self, genuine: Delivery) -> Iterator[tuple[str, Delivery]]:
        for part in ("timestamp", "token", "signature"):
            value = genuine.form[part]
            for bad in ("", " ", value[:-1], value + "0", "☃" + value, "\udcff", "9" * 5000):
                yield f"{part} is {bad!a:.30}", dataclasses.replace(genuine, form={**genuine.form, part: bad})
        yield "from the future", posted({**genuine.form, **signature(time.time() + 400)})
        yield "no form", dataclasses.replace(genuine, form={})
        json_kind = {**genuine.headers, "content-type": "application/json"}
        yield "a form that says it is JSON", dataclasses.replace(genuine, headers=json_kind)

    def tampered(self, genuine: Delivery) -> Iterator[Delivery]:
        """Mailgun signs time and token, not the body: see the tests of the token and of the kept copy below."""
        token = genuine.form["token"]
        yield dataclasses.replace(genuine, form={**genuine.form, "token": token[:-1] + "1"})

    def test_another_body_with_a_captured_signature_is_the_same_event(self, channel: Channel) -> None:
        first, second = (channel.parse(self.sent(urlencode(fields(**{"body-plain": t})).encode()))[0] for t in "ab")
        assert first.event_id == second.event_id == TOKEN

    @pytest.mark.parametrize("headers", ["", "{", "[1]", '[["From"]]', "null", "42", "[" * 100_000])
    def test_headers_of_another_shape_go_to_quarantine(self, channel: Channel, headers: str) -> None:
        form = {**fields(), "message-headers": headers}
        form.pop("from")
        with pytest.raises(PayloadNotUnderstood):
            channel.parse(posted({**form, **signature(time.time())}))


def read(form: Mapping[str, str], *, env: Mapping[str, str] = MAIL_ENV) -> list[Any]:
    settings = MailgunSettings.from_env(env)
    assert settings is not None
    return list(MailgunChannel(settings).parse(posted({**form, **signature(time.time())})))


def one(form: Mapping[str, str], *, env: Mapping[str, str] = MAIL_ENV) -> InboundMessage:
    (message,) = read(form, env=env)
    assert isinstance(message, InboundMessage)
    return message


# ---- who is writing ------------------------------------------------------------------------------------------------


def test_an_aligned_signature_is_evidence_and_everything_else_a_claim() -> None:
    result, signed = "X-Mailgun-Dkim-Check-Result", "Dkim-Signature"
    assert one(fields()).evidence is Evidence.SIGNED
    assert one(fields([result, "pass"], [signed, SIGNED_BY.replace("d=", "D = ")])).evidence is Evidence.SIGNED
    claims = {
        "failed": fields([result, "Fail"]),
        "no result": fields(without=result),
        "no signature": fields(without=signed),
        "two results, one by the sender": fields([result, "Pass"], [result, "Pass"]),
        "of another domain": fields([signed, "v=1; d=attackers.example.net; b=y"]),
        "of a look-alike": fields([signed, "v=1; d=ample.com; b=y"]),
        "a second one of another domain": fields([signed, SIGNED_BY], [signed, "v=1; d=attackers.example.net; b=y"]),
        "two authors": fields(["From", f"{MARIA}, mallory@example.com"]),
    }
    assert {what: one(form).evidence for what, form in claims.items()} == dict.fromkeys(claims, Evidence.CLAIM)


def test_without_the_spam_filter_a_result_in_the_headers_is_the_senders_own_word() -> None:
    assert one(fields(), env=ENV).evidence is Evidence.CLAIM


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (f'"{MARIA}" <mallory@attackers.example.net>', "mallory@attackers.example.net"),
        (f"{MARIA} (mallory) <mallory@attackers.example.net>", None),
        ("Maria <MARIA.POP@EXAMPLE.COM>", MARIA),
        (f"{MARIA}, mallory@attackers.example.net", ""),
        (f"mallory@attackers.example.net, {MARIA}", ""),
        ("marıa.pop@example.com", None),
        ("maria.pop@example.com\u212a", None),
        ("", None),
    ],
)
def test_the_author_is_the_one_address_of_the_from_line(line: str, address: str | None) -> None:
    """A display name proves nothing (G1), two addresses are nobody's (G12), Unicode twins are other people (G13)."""
    found = read(fields(["From", line]))
    if address is None:
        assert all(m.address not in (MARIA,) for m in found)
    else:
        (message,) = found
        assert message.address == address


def test_two_from_lines_are_nobodys_address() -> None:
    message = one(fields(["From", MARIA], ["From", "mallory@attackers.example.net"]))
    assert (message.address, message.evidence) == ("", Evidence.CLAIM)


def test_where_answers_are_wanted_counts_for_nothing() -> None:
    plain, steered = one(fields()), one(fields(["Reply-To", "mallory@attackers.example.net"]))
    assert (
        (steered.address, steered.conversation.person) == (plain.address, plain.conversation.person) == (MARIA, MARIA)
    )


# ---- threads, bodies ------------------------------------------------------------------------------------------------


def test_a_thread_is_one_conversation_and_another_mail_another() -> None:
    first = one(fields())
    answer = one(fields(["Message-Id", "<second@x>"], ["References", "<first@mail.example.com> <ours@mg.example.com>"]))
    bare = one(fields(["Message-Id", "<third@x>"], ["In-Reply-To", "<first@mail.example.com>"]))
    other = one(fields(["Message-Id", "<other@x>"]))
    assert first.conversation.id == answer.conversation.id == bare.conversation.id != other.conversation.id
    assert answer.conversation.references == "<first@mail.example.com> <ours@mg.example.com> <second@x>"


def test_a_mail_without_a_message_id_is_a_conversation_of_its_author() -> None:
    again, other = one(fields(without="Message-Id")), one(fields(["From", "a@example.org"], without="Message-Id"))
    assert one(fields(without="Message-Id")).conversation == again.conversation != other.conversation


def test_our_own_message_ids_name_the_conversation() -> None:
    mail = Mail(MARIA, "s", "t", "", "answer", conversation="c" * 32)
    id = in_conversation(mail, f"<{'a' * 40}@mg.example.com>")
    assert by_mail.named_in(f"<x@y> {id} <z@y>") == ["c" * 32]
    assert by_mail.named_in(f"<x@y> <{'a' * 40}@mg.example.com>") == []


def test_html_is_read_where_there_is_no_plain_text() -> None:
    assert one(fields(**{"body-plain": " ", "body-html": "<p>Delete</p>"})).text == "<p>Delete</p>"


def test_a_raw_mail_is_read_and_its_attachments_are_not() -> None:
    raw = (
        f"From: Maria Pop <{MARIA}>\r\nTo: dpo@intellimails.com\r\nSubject: =?utf-8?q?=C8=98tergere?=\r\n"
        "Message-ID: <raw@example.com>\r\nIn-Reply-To: <first@mail.example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C8=98terge=C8=9Bi-mi datele\r\n--b\r\n"
        "Content-Type: image/png\r\nContent-Disposition: attachment; filename=passport.png\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nUEFTU1BPUlQ=\r\n--b--\r\n"
    )
    message = one({"recipient": "dpo@intellimails.com", "sender": MARIA, "body-mime": raw})
    assert (message.address, message.subject, message.text.strip()) == (MARIA, "", "Ștergeți-mi datele")
    begins = raw.replace("In-Reply-To: <first@mail.example.com>\r\n", "")
    assert one({"recipient": "dpo@intellimails.com", "sender": MARIA, "body-mime": begins}).subject == "Ștergere"
    assert message.conversation.id == one(fields()).conversation.id
    assert "UEFTU" not in repr(message)
    assert "PASSPORT" not in repr(message)


@pytest.mark.parametrize("charset", ["nonsense", "utf-7", "us-ascii"])
def test_a_raw_mail_of_a_strange_character_set_is_read_all_the_same(charset: str) -> None:
    raw = f"From: {MARIA}\r\nContent-Type: text/plain; charset={charset}\r\n\r\nPlease delete my data \u0219\r\n"
    assert "Please delete my data" in one({"recipient": "x@y.eu", "sender": MARIA, "body-mime": raw}).text


# ---- the kept copy ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk_inbox() -> Iterator[Inbox]:
    with receiving() as inbox:
        yield inbox


@pytest.fixture(scope="module")
def served(desk_inbox: Inbox) -> Iterator[Served]:
    with serving(MailgunTwin, env=MAIL_ENV, app_url=desk_inbox.url) as served:
        yield served


def arrived(served: Served, inbox: Inbox, channel: MailgunChannel, **said: Any) -> InboundMessage:
    inbox.deliveries.clear()
    assert served.say("mailgun", deliver=True, **{"email": MARIA, "text": "Please delete my data", **said}).ok
    (got,) = inbox.deliveries
    channel.verify(got)
    (message,) = channel.parse(got)
    assert isinstance(message, InboundMessage)
    return message


@pytest.fixture
def channel(served: Served) -> MailgunChannel:
    return MailgunChannel(served.settings(MailgunSettings))


def test_what_the_twin_posts_is_accepted_and_its_copy_confirms_it(
    served: Served, desk_inbox: Inbox, channel: MailgunChannel
) -> None:
    message = arrived(served, desk_inbox, channel, name="Maria Pop", subject="My data")
    assert (message.address, message.evidence) == (MARIA, Evidence.SIGNED)
    assert channel.complete(message) == message
    assert arrived(served, desk_inbox, channel, dkim="none").evidence is Evidence.CLAIM
    assert arrived(served, desk_inbox, channel, dkim="fail").evidence is Evidence.CLAIM
    raw = arrived(served, desk_inbox, channel, raw=True)
    assert (raw.address, raw.text.strip()) == (MARIA, "Please delete my data")


def test_a_changed_body_is_replaced_by_the_copy_and_another_author_is_dropped(
    served: Served, desk_inbox: Inbox, channel: MailgunChannel
) -> None:
    """The signature covers no body: who captured one before it was used could have put other words under it."""
    message = arrived(served, desk_inbox, channel, text="Hello")
    forged = dataclasses.replace(message, text="Delete everything about me", subject="Delete everything about me")
    told = channel.complete(forged)
    assert (told.text, told.subject) == ("Hello", message.subject)
    ref = dataclasses.replace(message.conversation, person="victim@example.com")
    told = channel.complete(dataclasses.replace(forged, address="victim@example.com", conversation=ref))
    assert (told.text, told.subject) == ("", "")


def test_where_the_copy_has_expired_the_sender_is_a_claim(
    served: Served, desk_inbox: Inbox, channel: MailgunChannel
) -> None:
    message = arrived(served, desk_inbox, channel)
    gone = channel.complete(dataclasses.replace(message, stored="mg.example.com/gone"))
    assert (gone.text, gone.evidence) == (message.text, Evidence.CLAIM)


# ---- unsubscribe by mail ---------------------------------------------------------------------------------------------


def test_a_mail_to_the_unsubscribe_address_is_a_suppression() -> None:
    def told(**form: str) -> SuppressionReported:
        (event,) = read({**fields(), **form})
        assert isinstance(event, SuppressionReported)
        return event

    assert told(recipient="unsubscribe@mg.example.com").address == MARIA
    assert told(recipient="Unsubscribe+aB-c_D@MG.example.com").token == "aB-c_D"
    robot = {
        **fields(["Auto-Submitted", "auto-generated"], ["Subject", "TOKEN"]),
        "recipient": "unsubscribe@mg.example.com",
    }
    (event,) = read(robot)
    assert (event.address, event.token) == ("", "TOKEN")
    assert isinstance(read(fields(recipient="unsubscribe@other.example.com"))[0], InboundMessage)


# ---- from whom our answers come --------------------------------------------------------------------------------------


def test_the_mailbox_is_the_author_only_where_it_aligns_with_the_sending_domain() -> None:
    mail = Mail(MARIA, "s", "t", "", "answer", sender="dpo@intellimails.com")
    assert from_lines(mail, "privacy@mg.intellimails.com") == {"From": "dpo@intellimails.com"}
    other = "Privacy <privacy@mails.example>"
    assert from_lines(mail, other) == {"From": other, "Reply-To": "dpo@intellimails.com"}
    assert from_lines(dataclasses.replace(mail, sender=""), other) == {"From": other}


def test_an_answer_is_threaded_and_from_a_mailbox_of_the_policy_alone(house: House) -> None:
    chain = [f"<m{n}@x>" for n in range(30)]
    ref = ConversationRef("mailgun", "1", MARIA, "dpo@intellimails.com", " ".join(chain))
    mail = by_mail.answer(house.desk, ref, "c" * 32, "Hello", "de")
    assert mail.headers["In-Reply-To"] == "<m29@x>"
    assert mail.headers["References"].split() == ["<m0@x>", *chain[-9:]]
    assert mail.subject == "Re: Ihre Nachricht an IntelliMails"
    assert mail.sender == "dpo@intellimails.com"
    stranger = dataclasses.replace(ref, mailbox="dpo@attackers.example.net")
    assert by_mail.answer(house.desk, stranger, "c" * 32, "Hello", "de").sender == ""


def test_nothing_of_a_mail_is_kept_but_its_words(house: House) -> None:
    """What the parser hands on has no place for attachments, and the raw form is not stored."""
    names = {field.name for field in dataclasses.fields(inbound.InboundMail)}
    assert names == {"headers", "envelope_from", "recipients", "plain", "html", "stored"}

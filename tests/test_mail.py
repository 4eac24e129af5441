"""The desk's own mail over SMTP, and which way is taken. Mailgun's way is tested with its twin in test_mailgun.py."""

from __future__ import annotations

import email
import email.policy
import email.utils
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from dsr.errors import ConfigurationError, CredentialsRejected, VendorError, VendorRefused, VendorUnavailable
from dsr.messages import Mail
from integrations import mail as mail_module
from integrations.mail import SmtpMailer, domain_of, make_mailer, message_id
from integrations.mailgun.mailer import MailgunMailer
from integrations.mailgun.settings import MailgunSettings
from tests.tls import write_certificate

TO = "maria.pop@example.com"
LONG = f"<https://privacy.example.com/unsubscribe/{'a' * 300}>, <mailto:unsubscribe+{'b' * 60}@mg.example.com>"
MAIL = Mail(
    TO,
    "Codul dumneavoastră",
    "Bună ziua,\n\n7K3M-92QX\n\nEchipa",
    "<p>Bună ziua</p><p>7K3M-92QX</p>",
    "code",
    {"List-Unsubscribe": LONG, "In-Reply-To": "<m1@example.com>"},
)
MAILGUN = MailgunSettings(api_key=SecretStr("key-0123456789"), domain="mg.example.com")


@dataclass
class Server:
    """An SMTP server that keeps what it takes; `refuse` answers in its stead at a step."""

    port: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if "rcpt" in self.refuse:
            return self.refuse["rcpt"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if "data" in self.refuse:
            return self.refuse["data"]
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((envelope.mail_from, list(envelope.rcpt_tos), message))
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        login = (data.login.decode(), data.password.decode())
        self.logins.append(login)
        good = login == ("desk@example.com", "pa:ss/word%")
        return AuthResult(success=good, handled=good)  # not handled: aiosmtpd answers 535


@contextmanager
def smtp(**more: Any) -> Iterator[Server]:
    server = Server()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server.port = probe.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=server.port, authenticator=server.authenticate, **more)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def mailer(
    port: int, login: str = "", sender: str = "Privacy <privacy@example.com>", scheme: str = "smtp"
) -> SmtpMailer:
    return SmtpMailer(SecretStr(f"{scheme}://{login}127.0.0.1:{port}"), sender)


@contextmanager
def scripted(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with a connection what `talk` says."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                talk(connection)
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def test_a_mail_arrives_with_both_parts_and_its_headers() -> None:
    with smtp() as server:
        mailer(server.port).send(MAIL, idempotency_key="code:1")
    ((sender, recipients, message),) = server.taken
    assert (sender, recipients) == ("privacy@example.com", [TO])
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert text.get_content().replace("\r\n", "\n").strip() == MAIL.text
    assert html.get_content_type() == "text/html"
    assert MAIL.html in html.get_content()
    assert (message["From"], message["To"], message["Subject"]) == (
        "Privacy <privacy@example.com>",
        TO,
        "Codul dumneavoastră",
    )
    assert message["Message-Id"] == message_id("code:1", "example.com")
    assert message["Auto-Submitted"] == "auto-replied"
    assert email.utils.parsedate_to_datetime(message["Date"]) > datetime.now(UTC) - timedelta(minutes=1)


def test_a_long_unsubscribe_header_arrives_as_it_was_written() -> None:
    """Python would fold it by encoding, and mail clients would not see the address (RFC 2369, 8058)."""
    with smtp() as server:
        mailer(server.port).send(MAIL, idempotency_key="code:1")
    raw = server.taken[0][2].as_bytes(policy=email.policy.SMTP.clone(max_line_length=998))
    assert f"List-Unsubscribe: {LONG}\r\n".encode() in raw


def test_a_mail_without_html_has_one_part() -> None:
    with smtp() as server:
        mailer(server.port).send(replace(MAIL, html=""), idempotency_key="k")
    assert server.taken[0][2].get_content_type() == "text/plain"


def test_every_try_has_the_same_message_id_and_nobody_can_be_asked() -> None:
    with smtp() as server:
        desk = mailer(server.port)
        for key in ("a", "a", "b"):
            desk.send(MAIL, idempotency_key=key)
        assert not desk.sent(MAIL, idempotency_key="a")
    ids = [message["Message-Id"] for _, _, message in server.taken]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    "to",
    [
        f"{TO},attacker@example.net",
        f"{TO} attacker@example.net",
        "",
        "nobody",
        f"{TO}\r\nBcc: x@example.net",
        f"M <{TO}>",
    ],
)
def test_a_recipient_that_is_not_exactly_one_address_is_refused(to: str) -> None:
    with smtp() as server, pytest.raises(VendorRefused) as caught:
        mailer(server.port).send(replace(MAIL, to=to), idempotency_key="k")
    assert not server.taken
    assert TO not in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "Hello\r\nBcc: attacker@example.net"},
        {"headers": {"List-Unsubscribe": "<https://a>\nBcc: attacker@example.net"}},
        {"headers": {"X\r\nBcc": "attacker@example.net"}},
        {"headers": {"To": "attacker@example.net"}},
    ],
)
def test_no_header_can_begin_another_one(changed: dict[str, Any]) -> None:
    with smtp() as server, pytest.raises(VendorRefused):
        mailer(server.port).send(replace(MAIL, **changed), idempotency_key="k")
    assert not server.taken


@pytest.mark.parametrize(
    ("step", "answer", "expected", "retry"),
    [
        ("rcpt", "550 no such mailbox", VendorRefused, False),
        ("rcpt", "450 try later", VendorUnavailable, True),
        ("rcpt", "421 busy", VendorUnavailable, True),
        ("data", "554 looks like spam", VendorRefused, False),
        ("data", "451 local error", VendorUnavailable, True),
        ("data", "530 authenticate first", CredentialsRejected, False),
    ],
)
def test_reply_codes_say_whether_to_try_again(step: str, answer: str, expected: type[VendorError], retry: bool) -> None:
    with smtp() as server:
        server.refuse[step] = answer
        with pytest.raises(expected) as caught:
            mailer(server.port).send(MAIL, idempotency_key="k")
    assert caught.value.retry is retry
    assert caught.value.vendor == "smtp"
    assert TO not in str(caught.value)
    assert answer[4:] not in str(caught.value), "an answer may hold personal data"


def test_login_with_percent_encoded_characters() -> None:
    with smtp(auth_require_tls=False) as server:
        desk = mailer(server.port, "desk%40example.com:pa%3Ass%2Fword%25@")
        desk.check()
        desk.send(MAIL, idempotency_key="k")
    assert server.logins == [("desk@example.com", "pa:ss/word%")] * 2
    assert len(server.taken) == 1


def test_a_wrong_password_is_for_a_person_to_mend() -> None:
    with smtp(auth_require_tls=False) as server:
        desk = mailer(server.port, "desk:secret-password@")
        for call in (desk.check, lambda: desk.send(MAIL, idempotency_key="k")):
            with pytest.raises(CredentialsRejected) as caught:
                call()
            assert "secret-password" not in str(caught.value)


@pytest.mark.parametrize("greeting", [b"", b"554 go away\r\n", b"421 busy\r\n"])
def test_a_server_that_does_not_want_us(greeting: bytes) -> None:
    with scripted(lambda c: c.sendall(greeting)) as port, pytest.raises(VendorError) as caught:
        mailer(port).send(MAIL, idempotency_key="k")
    assert isinstance(caught.value, VendorRefused if greeting.startswith(b"5") else VendorUnavailable)


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(VendorUnavailable):
        mailer(port).check()


def test_a_server_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "SMTP_DEADLINE", 0.3)

    def drip(connection: socket.socket) -> None:
        for _ in range(200):
            connection.sendall(b"2")
            threading.Event().wait(0.05)

    start = datetime.now(UTC)
    with scripted(drip) as port, pytest.raises(VendorUnavailable):
        mailer(port).send(MAIL, idempotency_key="k")
    assert datetime.now(UTC) - start < timedelta(seconds=5)


def test_a_bad_good_bye_after_the_mail_was_taken_is_no_failure() -> None:
    """A second try would be a second mail."""

    def talk(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        connection.sendall(b"220 hello\r\n")
        in_data = False
        for line in lines:
            word = line.split()[0].upper() if line.split() else b""
            if in_data:
                if line == b".\r\n":
                    in_data = False
                    connection.sendall(b"250 taken\r\n")
            elif word == b"DATA":
                in_data = True
                connection.sendall(b"354 go\r\n")
            elif word == b"QUIT":
                connection.sendall(b"500 what?\r\n")
                return
            else:
                connection.sendall(b"250 OK\r\n")

    with scripted(talk) as port:
        mailer(port).send(MAIL, idempotency_key="k")


# -- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture
def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trust(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    usual = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda: usual(cafile=str(certificate)))


def test_smtps_speaks_tls_from_the_start(
    server_side: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(monkeypatch, certificate)
    with scripted_tls(server_side) as port:
        mailer(port, scheme="smtps").check()


def test_a_certificate_that_nobody_vouches_for_is_refused(server_side: ssl.SSLContext) -> None:
    with scripted_tls(server_side) as port, pytest.raises(VendorRefused, match="certificate"):
        mailer(port, scheme="smtps").check()


def test_starttls_is_demanded_except_on_loopback(
    server_side: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_module, "_loopback", lambda host: False)
    with smtp() as plain, pytest.raises(VendorRefused, match="STARTTLS"):
        mailer(plain.port).send(MAIL, idempotency_key="k")
    assert not plain.taken
    trust(monkeypatch, certificate)
    with smtp(tls_context=server_side) as server:
        login = "desk%40example.com:pa%3Ass%2Fword%25@"
        mailer(server.port, login).send(MAIL, idempotency_key="k")
    assert len(server.taken) == 1
    assert len(server.logins) == 1


@contextmanager
def scripted_tls(context: ssl.SSLContext) -> Iterator[int]:
    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"220 hello\r\n")
            for _ in secure.makefile("rb"):
                secure.sendall(b"250 OK\r\n")

    with scripted(talk) as port:
        yield port


# -- which way --------------------------------------------------------------------------------------------------------


def test_smtp_goes_before_mailgun_and_neither_is_none() -> None:
    assert isinstance(make_mailer("smtp://127.0.0.1", MAILGUN, "privacy@example.com"), SmtpMailer)
    assert isinstance(make_mailer(SecretStr("smtps://h.example"), None, "Desk <privacy@example.com>"), SmtpMailer)
    assert isinstance(make_mailer("", MAILGUN, ""), MailgunMailer)
    assert isinstance(make_mailer(None, MAILGUN, "privacy@example.com"), MailgunMailer)
    assert make_mailer("", None, "") is None


@pytest.mark.parametrize(
    ("url", "sender", "names"),
    [
        ("smtp://user:hunter2@h.example", "", "MAIL_FROM"),
        ("smtp://user:hunter2@h.example", "not an address", "MAIL_FROM"),
        ("http://user:hunter2@h.example", "a@example.com", "SMTP_URL"),
        ("user:hunter2@h.example", "a@example.com", "SMTP_URL"),
        ("smtp://", "a@example.com", "SMTP_URL"),
        ("smtp://user:hunter2@h.example:x", "a@example.com", "SMTP_URL"),
        ("smtp://user:hunter2@[h", "a@example.com", "SMTP_URL"),
        ("smtp://user:hunter2%C3%B6@h.example", "a@example.com", "SMTP_URL"),
    ],
)
def test_a_setting_that_cannot_work_is_named_and_not_shown(url: str, sender: str, names: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_mailer(url, None, sender)
    assert names in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_message_id_is_made_of_the_key_and_does_not_show_it() -> None:
    made = message_id("certificate:PR-ABC123", "mg.example.com")
    assert made == message_id("certificate:PR-ABC123", "mg.example.com")
    assert made.startswith("<")
    assert made.endswith("@mg.example.com>")
    assert "PR-ABC123" not in made
    assert made != message_id("certificate:PR-ABC124", "mg.example.com")


@pytest.mark.parametrize(
    ("sender", "domain"),
    [("privacy@example.com", "example.com"), ("Desk <Privacy@Example.com>", "example.com"), ("Desk", ""), ("", "")],
)
def test_the_senders_domain(sender: str, domain: str) -> None:
    assert domain_of(sender) == domain

"""The desk's own mail: codes, certificates, download links. Sent by Mailgun or by any SMTP server.

These mails are answers to the person, not marketing: they leave from an address that no unsubscribe list stops.
"""

from __future__ import annotations

import contextlib
import email.policy
import hashlib
import ipaddress
import smtplib
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from dsr.addresses import normalise
from dsr.errors import ConfigurationError, CredentialsRejected, VendorError, VendorRefused, VendorUnavailable
from dsr.messages import Mail

if TYPE_CHECKING:
    from integrations.vendor import VendorSettings

SMTP_TIMEOUT = 10.0  # seconds for one answer of the server
SMTP_DEADLINE = 60.0  # seconds for the whole conversation; below the 90 s after which a mail counts as interrupted
# RFC 5322 2.1.1 allows lines of 998 characters. Python folds shorter lines by encoding words, which would spoil the
# addresses in List-Unsubscribe.
POLICY = email.policy.SMTP.clone(max_line_length=998)


class Mailer(ABC):
    """Sends mails, one recipient each. One instance serves all threads."""

    @abstractmethod
    def send(self, mail: Mail, *, idempotency_key: str) -> None:
        """Hand the mail over for delivery.

        Args:
            idempotency_key: the same for every try of this mail; its Message-Id is made of it.

        Raises:
            VendorUnavailable: nobody knows whether it left (ask `sent`), or it did not.
            VendorRefused: it will not leave, e.g. an address that is none.
        """

    @abstractmethod
    def sent(self, mail: Mail, *, idempotency_key: str) -> bool:
        """After an interrupted try: did it leave? False if nobody can tell: a mail twice is better than none.

        Raises:
            VendorError: the mail service did not answer.
        """

    @abstractmethod
    def check(self) -> None:
        """Make one harmless call to see that the credentials are good.

        Raises:
            VendorError: they are not, or nobody answered.
        """


def message_id(idempotency_key: str, domain: str) -> str:
    """The Message-Id (RFC 5322 3.6.4) of a mail: the same for every try, so that a repeated mail can be recognised."""
    return f"<{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}@{domain}>"


def in_conversation(mail: Mail, id: str) -> str:
    """The Message-Id with the conversation before it, by which `dsr.by_mail` finds the answer's way back."""
    return f"<{mail.conversation}.{id[1:]}" if mail.conversation and id else id


def from_lines(mail: Mail, sender: str, author: str = "From", answers: str = "Reply-To") -> dict[str, str]:
    """The headers of author and answers, under the names that the mail service gives them.

    A mailbox of the company stands in From where that aligns with the sending domain (DMARC, RFC 7489 3.1.1, relaxed:
    the same organisation); elsewhere such a mail would be refused as a forgery, so the mailbox only takes the answers.

    Args:
        sender: the desk's usual sender.
    """
    if not mail.sender:
        return {author: sender}
    theirs, ours = domain_of(mail.sender), domain_of(sender)
    if theirs == ours or ours.endswith(f".{theirs}") or theirs.endswith(f".{ours}"):
        return {author: mail.sender}
    return {author: sender, answers: mail.sender}


def domain_of(sender: str) -> str:
    """The domain of `privacy@example.com` or `Privacy team <privacy@example.com>`; empty if there is none."""
    return normalise(parseaddr(sender)[1]).rpartition("@")[2]


def headers_of(mail: Mail, vendor: str) -> dict[str, str]:
    """The further headers of a mail, with the mark that keeps robots from answering it (RFC 3834 5).

    Raises:
        VendorRefused: a header that would begin another one.
    """
    automatic = "auto-replied" if "In-Reply-To" in mail.headers else "auto-generated"
    headers = {"Auto-Submitted": automatic, **mail.headers}
    for text in (mail.subject, *headers, *headers.values()):
        if any(c in text for c in "\r\n\0"):
            raise VendorRefused(vendor, "a header of the mail holds a line break")
    return headers


def recipient_of(mail: Mail, vendor: str) -> str:
    """The one recipient. Services take several with commas between: a list `[victim, attacker]` is refused (G12).

    Raises:
        VendorRefused: not exactly one address.
    """
    address = normalise(mail.to)
    if not address:
        raise VendorRefused(vendor, "the recipient is not exactly one e-mail address")
    return address


class SmtpMailer(Mailer):
    """Any SMTP server (RFC 5321).

    Args:
        url: `smtp://user:password@host:587` (STARTTLS, demanded except on loopback) or `smtps://…:465`; special
            characters in user and password percent-encoded.
        sender: the From address.

    Raises:
        ConfigurationError: the URL or the sender has the wrong shape.
    """

    def __init__(self, url: SecretStr, sender: str) -> None:
        try:
            parts = urlsplit(url.get_secret_value())
            port = parts.port
        except ValueError:
            raise ConfigurationError(["SMTP_URL: is not a URL"]) from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ConfigurationError(["SMTP_URL: must look like smtp://user:password@host:587 or smtps://host"])
        self._domain = domain_of(sender)
        if not self._domain:
            raise ConfigurationError(["MAIL_FROM: is not an e-mail address"])
        self._sender = sender
        self._tls = parts.scheme == "smtps"
        self._host, self._port = parts.hostname, port or (465 if self._tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (self._user + self._password).isascii():  # smtplib can send no others
            raise ConfigurationError(["SMTP_URL: user and password must be plain ASCII"])

    def send(self, mail: Mail, *, idempotency_key: str) -> None:
        message = self._message(mail, in_conversation(mail, message_id(idempotency_key, self._domain)))
        with _smtp_errors(), self._connection() as server:
            server.send_message(message, parseaddr(self._sender)[1], [recipient_of(mail, "smtp")])

    def sent(self, mail: Mail, *, idempotency_key: str) -> bool:
        """SMTP has no question for it. The second mail has the same Message-Id, by which mailboxes can tell."""
        return False

    def check(self) -> None:
        with _smtp_errors(), self._connection() as server:
            server.noop()

    def _message(self, mail: Mail, id: str) -> EmailMessage:
        message = EmailMessage(POLICY)
        headers = headers_of(mail, "smtp")
        try:
            message["To"], message["Subject"] = recipient_of(mail, "smtp"), mail.subject
            message["Date"], message["Message-Id"] = format_datetime(datetime.now(UTC)), id
            for name, value in (*from_lines(mail, self._sender).items(), *headers.items()):
                message[name] = value
        except ValueError:  # the name of a header, or one that may stand only once
            raise VendorRefused("smtp", "a header of the mail has the wrong shape") from None
        message.set_content(mail.text)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
        return message

    @contextlib.contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        # Our domain as our name: smtplib would ask the DNS for the machine's.
        server = (
            smtplib.SMTP_SSL(local_hostname=self._domain, timeout=SMTP_TIMEOUT, context=context)
            if self._tls
            else smtplib.SMTP(local_hostname=self._domain, timeout=SMTP_TIMEOUT)
        )
        server._host = self._host  # type: ignore[attr-defined]  # the name that the certificate must have
        # The time-out is per read: a server that drips byte by byte is cut off by this.
        watch = threading.Timer(SMTP_DEADLINE, _cut, (server,))
        watch.daemon = True
        watch.start()
        try:
            code, _ = server.connect(self._host, self._port)
            if code != 220:
                raise _by_code(code)
            server.ehlo_or_helo_if_needed()
            if not self._tls and not _loopback(self._host):
                server.starttls(context=context)  # raises if the server does not offer it: nothing goes in clear text
            if self._user:
                server.login(self._user, self._password)
            yield server
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()  # the mail was accepted; how the server says good-bye changes nothing
        finally:
            watch.cancel()
            server.close()


@contextlib.contextmanager
def _smtp_errors() -> Iterator[None]:
    """What smtplib raises, as our errors: reply codes 4yz are temporary, 5yz permanent (RFC 5321 4.2.1)."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        if 400 <= error.smtp_code < 500:
            raise VendorUnavailable("smtp", f"cannot check our login now ({error.smtp_code})") from None
        raise CredentialsRejected("smtp", f"does not accept our login ({error.smtp_code})", error.smtp_code) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _by_code(codes[0] if codes else 0) from None
    except smtplib.SMTPResponseException as error:
        raise _by_code(error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise VendorRefused("smtp", "does not offer STARTTLS or a login that we know") from None
    except ssl.SSLCertVerificationError:
        raise VendorRefused("smtp", "its certificate is not valid for the host") from None
    except (smtplib.SMTPException, OSError) as error:
        raise VendorUnavailable("smtp", f"the connection failed ({type(error).__name__})") from None


def _by_code(code: int) -> VendorError:
    if code in (530, 534, 535, 538):
        return CredentialsRejected("smtp", f"wants another login ({code})", code)
    if 500 <= code < 600:
        return VendorRefused("smtp", f"refused the mail ({code})", code)
    return VendorUnavailable("smtp", f"did not take the mail now ({code})")


def _cut(server: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, AttributeError):
        server.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # None before it connected


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_mailer(
    smtp_url: SecretStr | str | None, mailgun_settings: VendorSettings | None, mail_from: str = ""
) -> Mailer | None:
    """The mailer of this installation; None if neither way is configured.

    Args:
        smtp_url: the variable SMTP_URL; who sets it wants SMTP, also beside Mailgun (which then only is a processor).
        mail_from: `privacy@example.com`, also with a name before it; default with Mailgun: `privacy@<MAILGUN_DOMAIN>`.

    Raises:
        ConfigurationError: SMTP without a sender, or an address that is none.
    """
    # The mailer there knows this module: it is imported when this one is complete.
    from integrations.mailgun.mailer import MailgunMailer
    from integrations.mailgun.settings import MailgunSettings

    if mail_from and not domain_of(mail_from):
        raise ConfigurationError(["MAIL_FROM: is not an e-mail address"])
    url = smtp_url if isinstance(smtp_url, SecretStr) else SecretStr(smtp_url or "")
    if url.get_secret_value():
        if not mail_from:
            raise ConfigurationError(["MAIL_FROM: is missing; SMTP_URL needs a sender"])
        return SmtpMailer(url, mail_from)
    if isinstance(mailgun_settings, MailgunSettings):
        return MailgunMailer(mailgun_settings, mail_from or f"privacy@{mailgun_settings.domain}")
    return None

"""The desk's own mail over Mailgun.

https://documentation.mailgun.com/docs/mailgun/api-reference/openapi-final/tag/Messages/
"""

from __future__ import annotations

from dsr.errors import VendorAnswerUnexpected, VendorRefused
from dsr.messages import Mail
from integrations.mail import Mailer, from_lines, headers_of, in_conversation, message_id, recipient_of
from integrations.mailgun.api import Api, form
from integrations.mailgun.settings import MailgunSettings


class MailgunMailer(Mailer):
    """Sends from the desk's own domain, which is never on a suppression list of ours.

    Args:
        sender: the From address.
    """

    def __init__(self, settings: MailgunSettings, sender: str) -> None:
        self._domain = settings.domain
        self._sender = sender
        self._api = Api(settings)

    def send(self, mail: Mail, *, idempotency_key: str) -> None:
        """One message; Mailgun has no idempotency key, so a call of unknown fate is not repeated here.

        That Mailgun keeps the Message-Id it is given is what `sent` lives on; if it does not, the mail has left, and
        VendorRefused (no further try) says so.
        """
        id = in_conversation(mail, message_id(idempotency_key, self._domain))
        fields = {
            **from_lines(mail, self._sender, "from", "h:Reply-To"),
            "to": recipient_of(mail, "mailgun"),
            "subject": mail.subject,
            "text": mail.text,
            "h:Message-Id": id,
            # The links are for one person and one time: no counting, no rewriting, no plain text on the way.
            "o:tracking": "no",
            "o:tracking-clicks": "no",
            "o:tracking-opens": "no",
            "o:require-tls": "true",
            **({"html": mail.html} if mail.html else {}),
            **{f"h:{name}": value for name, value in headers_of(mail, "mailgun").items()},
        }
        answer = self._api.http.call("POST", f"v3/{self._domain}/messages", files=form(fields)).json()
        given = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(given, str) or not given:
            raise VendorAnswerUnexpected("mailgun", "did not confirm that it took the mail")
        if given.strip("<>") != id.strip("<>"):
            raise VendorRefused("mailgun", "took the mail and gave it another Message-Id than ours")

    def sent(self, mail: Mail, *, idempotency_key: str) -> bool:
        """Whether Mailgun has any event of the Message-Id. Events are kept for a day at least, and may come late."""
        id = in_conversation(mail, message_id(idempotency_key, self._domain)).strip("<>")
        for event in self._api.events(self._domain, {"message-id": id}):
            headers = (event.get("message") or {}).get("headers") or {}
            if str(headers.get("message-id", "")).strip("<>") == id:
                return True
        return False

    def check(self) -> None:
        self._api.check()

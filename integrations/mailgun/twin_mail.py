"""The twin's mail programs: what people write to the mailboxes, and the thread as they see it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from email.utils import formataddr
from typing import TYPE_CHECKING, Any

from integrations.mailgun import twin_seed

if TYPE_CHECKING:
    from integrations.mailgun.twin import MailgunTwin

Object = dict[str, Any]
MAILBOX = "dpo@intellimails.com"


def say(twin: MailgunTwin, said: Mapping[str, Any]) -> Object:
    """Somebody writes a mail to a mailbox of the company, or answers the newest mail of a thread.

    Args:
        said: `email` (the From line as it stands), `text` and `html`; `conversation` (a thread; a new one if it is not
            known); `to`, `name`, `subject`, `reply_to`, `sender` (envelope), `headers` (further ones); `dkim`: `pass`
            (default), `fail` or `none`; `raw`: the route posts `body-mime`.
    """
    with twin.records.lock:
        mail = _written(twin, said)
        twin.records["stored"][mail["key"]] = mail
        about = {
            "message-id": mail["id"].strip("<>"),
            "from": mail["from"],
            "to": mail["to"],
            "subject": mail["subject"],
        }
        fields: Object = {"recipient": mail["to"], "storage": {"key": mail["key"]}}
        twin.new_event(twin.domains[0], "stored", message={"headers": about, "attachments": [], "size": 0}, **fields)
    answer: Object = {"conversation": mail["thread"], "message_id": mail["id"]}
    if said.get("deliver"):
        status = post(twin, mail, raw=bool(said.get("raw")))
        answer |= {"delivered": status, "status": 200 if 200 <= status < 300 else 502}
    return answer


def post(twin: MailgunTwin, mail: Mapping[str, Any], *, raw: bool = False, **overrides: str) -> int:
    """POST a stored mail as a route does, signed; returns the app's HTTP status."""
    form = {
        "recipient": mail["to"],
        "sender": mail["envelope"],
        "subject": mail["subject"],
        "from": mail["from"],
        "message-headers": json.dumps(mail["headers"]),
        **({"body-plain": mail["text"]} if mail["text"] else {}),
        **({"body-html": mail["html"]} if mail["html"] else {}),
        "message-url": f"{twin.world.base_url}/mailgun/v3/domains/{twin.domains[0]}/messages/{mail['key']}",
        **twin.sign(),
    }
    if raw:  # an address that ends in `mime` gets the whole mail instead of its parts
        lines = [f"{name}: {value}" for name, value in mail["headers"]]
        kind = "html" if mail["html"] and not mail["text"] else "plain"
        lines += [f"Content-Type: text/{kind}; charset=utf-8", "", mail["text"] or mail["html"]]
        form = {"recipient": mail["to"], "sender": mail["envelope"], "body-mime": "\r\n".join(lines), **twin.sign()}
    body, kind = _multipart({**form, **overrides})
    return twin.deliver("/webhooks/mailgun", body, {"Content-Type": kind})


def conversations(twin: MailgunTwin) -> list[Object]:
    """Threads as the people see them: their mails, and the answers that name one of these in References."""
    threads: dict[str, Object] = {}
    thread_of: dict[str, str] = {}
    mails = [*twin.records["stored"].values(), *twin.records["messages"].values()]
    for mail in sorted(mails, key=lambda m: float(m.get("at") or 0)):
        theirs = "thread" in mail
        before = "" if theirs else str(mail.get("headers", {}).get("References", ""))
        known = mail["thread"] if theirs else next((thread_of[id] for id in before.split() if id in thread_of), "")
        if not known:
            continue
        thread_of[mail["id"]] = known
        thread = threads.setdefault(known, {"id": known, "email": mail["email"] if theirs else "", "messages": []})
        # A note goes to the people behind the mailbox.
        note = not theirs and mail["to"].endswith("@" + MAILBOX.rpartition("@")[2])
        thread["messages"].append(
            {
                "id": mail["id"],
                "author": {"type": "user" if theirs else "admin"},
                "from": mail["from"],
                "to": mail["to"],
                "subject": mail["subject"],
                "text": mail["text"] or mail["html"],
                "note": note,
            }
        )
    return list(threads.values())


def _written(twin: MailgunTwin, said: Mapping[str, Any]) -> Object:
    email, name = str(said.get("email") or ""), str(said.get("name") or "")
    domain = email.rpartition("@")[2].strip(">") or "unknown.example"
    id = f"<{secrets.token_hex(12)}@mail.{domain if domain.isascii() else 'example'}>"
    thread = str(said.get("conversation") or "") or f"mail-{secrets.token_hex(8)}"
    before = [m["id"] for t in conversations(twin) if t["id"] == thread for m in t["messages"] if not m["note"]]
    subject = str(said.get("subject") or ("Re: your message" if before else "Hello"))
    from_line = formataddr((name, email)) if name and email.isascii() else email
    headers = [
        ["Received", f"from mail.{domain} by mxa.mailgun.org"],
        *_signature(str(said.get("dkim") or "pass"), domain),
        ["From", from_line],
        ["To", str(said.get("to") or MAILBOX)],
        ["Subject", subject],
        ["Message-Id", id],
        ["Date", twin_seed.rfc2822()],
        *([["In-Reply-To", before[-1]], ["References", " ".join(before)]] if before else []),
        *([["Reply-To", str(said["reply_to"])]] if said.get("reply_to") else []),
        *([name, value] for name, value in (said.get("headers") or {}).items()),
    ]
    return {
        "id": id,
        "key": base64.urlsafe_b64encode(secrets.token_bytes(24)).decode(),
        "thread": thread,
        "email": email,
        "envelope": str(said["sender"]) if "sender" in said else email,
        "from": from_line,
        "to": str(said.get("to") or MAILBOX),
        "subject": subject,
        "text": str(said.get("text") or ""),
        "html": str(said.get("html") or ""),
        "headers": headers,
        "date": twin_seed.rfc2822(),
        "at": time.time(),
    }


def _signature(dkim: str, domain: str) -> list[list[str]]:
    """The sender's signature, and the result that Mailgun's spam filter adds."""
    if dkim == "none":
        return [["X-Mailgun-Dkim-Check-Result", "Neutral"]]
    signed = hashlib.sha256(domain.encode()).hexdigest()[:20]
    value = f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=mail; h=from:to:subject; bh={signed}; b={signed}"
    return [["X-Mailgun-Dkim-Check-Result", "Pass" if dkim == "pass" else "Fail"], ["Dkim-Signature", value]]


def _multipart(fields: Mapping[str, str]) -> tuple[bytes, str]:
    """`multipart/form-data`, as routes post it."""
    line = secrets.token_hex(16)
    parts = [
        f'--{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode() + b"\r\n"
        for name, value in fields.items()
    ]
    return b"".join([*parts, f"--{line}--\r\n".encode()]), f"multipart/form-data; boundary={line}"

"""How Google spells a person: pure functions.

Analytics takes plain identifiers: `GoogleAnalyticsAdminV1alphaSubmitUserDeletionRequest` in the discovery document of
analyticsadmin v1alpha. Ads takes SHA-256 of the normalised address, in hex:
https://developers.google.com/data-manager/api/devguides/concepts/formatting
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from dsr.model import Identities

GMAIL = frozenset({"gmail.com", "googlemail.com"})
KINDS = {"google.user_id": "userId", "google.client_id": "clientId", "google.app_instance_id": "appInstanceId"}


def analytics_address(email: str) -> str:
    """Lower case, no spaces; for Gmail also no dots before the @. Never hashed."""
    local, _, domain = "".join(email.split()).lower().rpartition("@")
    return f"{local.replace('.', '') if domain in GMAIL else local}@{domain}"


def client_id(value: str) -> str:
    """The client id in a `_ga` cookie's value: `GA1.1.X.Y` is `X.Y`."""
    found = re.fullmatch(r"GA[0-9]+\.[0-9]+\.([0-9]+\.[0-9]+)", value.strip(), re.ASCII)
    return found[1] if found else value.strip()


def analytics_ids(subject: Identities, *, user_id_is_account_id: bool) -> Iterator[tuple[str, str]]:
    """Field and value of each Analytics identifier that is known of the person."""
    seen = set()
    for type, field in KINDS.items():
        values = [*subject.of(type), *(subject.of("account_id") if user_id_is_account_id and field == "userId" else ())]
        for value in values:
            pair = field, client_id(value) if field == "clientId" else value
            if pair not in seen:
                seen.add(pair)
                yield pair


def hashed_addresses(email: str) -> tuple[str, ...]:
    """Hashes under which an address may have been uploaded, at most four.

    Whether uploads dropped dots and `+tag` of a Gmail address differs by uploader, so every spelling of the same
    mailbox is sent. Elsewhere a dot makes another mailbox: only the address itself.
    """
    plain = "".join(email.split()).lower()
    local, _, domain = plain.rpartition("@")
    spellings = [plain]
    if domain in GMAIL:
        tagless = local.partition("+")[0]
        spellings += [f"{x}@{domain}" for x in (local.replace(".", ""), tagless, tagless.replace(".", ""))]
    return tuple(hashlib.sha256(x.encode()).hexdigest() for x in dict.fromkeys(spellings))

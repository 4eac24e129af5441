"""E-mail addresses: what counts as one, and when two are the same. An address in a message is a claim."""

from __future__ import annotations

import re

from email_validator import EmailNotValidError, validate_email

# The plain majority, for which the full check changes nothing but the case (a test compares the two): ASCII, no two
# hyphens in a row (Punycode and reserved labels), no name for special use.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(
    rf"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:{_LABEL}\.)+"
    r"(?!(?:arpa|invalid|local|localhost|onion)$)(?:[a-z0-9][a-z0-9-]{0,61})?[a-z]",
    re.IGNORECASE | re.ASCII,
)
_CANDIDATE = re.compile(r"[^\s<>()\[\],;:\"'|]+@[^\s<>()\[\],;:\"'|]+")


def normalise(address: str) -> str:
    """The one spelling under which we keep an address, or "" if it is not one that we accept.

    Lower case in ASCII alone: Unicode case folding would make twins such as the Kelvin sign and K equal (attack
    G13). Internationalised domains become Punycode; local parts outside ASCII are not accepted, an agent helps.
    """
    address = address.strip().rstrip(".")
    if len(address) > 254:
        return ""
    if address.isascii() and "--" not in address and _PLAIN.fullmatch(address):
        return address.lower()
    return _checked(address)


def _checked(address: str) -> str:
    """`normalise` for every address, without the short cut."""
    local, _, domain = address.rpartition("@")
    if not local.isascii() or not domain:
        return ""
    try:
        checked = validate_email(f"{local}@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return ""
    if not checked.ascii_email:
        return ""
    # A domain that only looks like ASCII (homoglyphs, full width) is another domain, and stays one in Punycode.
    ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    return f"{local}@{ascii_domain}".lower()


def find_in(text: str) -> list[str]:
    """All distinct addresses in a text, normalised, in order."""
    found = (normalise(m.group().removeprefix("mailto:")) for m in _CANDIDATE.finditer(text))
    return list(dict.fromkeys(a for a in found if a))


def mask(address: str) -> str:
    """For agents: enough to recognise an address that one knows, not enough to learn it."""
    local, _, domain = address.rpartition("@")
    host, _, top = domain.rpartition(".")
    return f"{local[:1]}***@{host[:1]}***.{top}" if local else ""

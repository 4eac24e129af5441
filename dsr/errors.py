"""Every error that Privacy Desk raises on purpose.

An error says what happened and whether trying again can help. No text of an error holds a personal
datum, a secret or a vendor's answer body: errors are logged.
"""

from __future__ import annotations

from collections.abc import Iterable


class ConfigurationError(Exception):
    """The settings cannot work. Holds every problem at once; names variables, never their values."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


class DsrError(Exception):
    """Base of everything that can go wrong with one delivery, one vendor or one request."""


class DeliveryError(DsrError):
    """Something is wrong with a webhook delivery."""


class DeliveryRejected(DeliveryError):
    """The delivery is not authentic (signature missing, malformed, wrong or stale). Answered with 401."""


class PayloadNotUnderstood(DeliveryError):
    """Authentic, but not in a shape that we know. Kept in quarantine and answered with 200."""


class VendorError(DsrError):
    """A call to a vendor did not do what it was meant to do.

    Args:
        vendor: name of the vendor's folder.
        what: what happened, in our words; never the vendor's answer body.
    """

    retry = False

    def __init__(self, vendor: str, what: str) -> None:
        self.vendor = vendor
        self.what = what
        super().__init__(f"{vendor}: {what}")


class VendorUnavailable(VendorError):
    """Nobody answered, or the vendor had a fault of its own. Trying again later can help."""

    retry = True


class VendorRateLimited(VendorUnavailable):
    """The vendor asks us to slow down.

    Args:
        retry_after: seconds to wait, if the vendor said so.
    """

    def __init__(self, vendor: str, what: str, retry_after: float | None = None) -> None:
        super().__init__(vendor, what)
        self.retry_after = retry_after


class Throttled(VendorRateLimited):
    """We hold a call back ourselves, to keep the vendor's call rate; no try has been made."""


class VendorRefused(VendorError):
    """The vendor understood the call and will not do it. Trying again does not help.

    Args:
        status: HTTP status, 0 if the refusal came inside a 200.
        code: the vendor's own short error code, if it has one.
    """

    def __init__(self, vendor: str, what: str, status: int = 0, code: str = "") -> None:
        super().__init__(vendor, what)
        self.status = status
        self.code = code


class CredentialsRejected(VendorRefused):
    """Our key is wrong, expired, or lacks a permission. A person must mend it."""


class NotFound(VendorRefused):
    """The vendor answered that there is no such thing. Whether that means "nothing held" is the caller's to prove."""


class VendorAnswerUnexpected(VendorError):
    """The vendor answered something that we cannot read. Trying again may help; a guess never does."""

    retry = True


class RequestError(DsrError):
    """A request cannot do what was asked of it."""


class NotVerified(RequestError):
    """The person is not proved and the step needs that proof."""


class TransitionNotAllowed(RequestError):
    """The law or the state of the request forbids this step. The text names the article or the rule."""


class UnsupportedRequest(RequestError):
    """No such right, or not one that this desk handles."""


class DuplicateRequest(RequestError):
    """The same right of the same person is already being worked on.

    Args:
        reference: the reference of the open request.
    """

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(f"{reference} is already open")


class RequestNotFound(RequestError):
    """No request has this reference."""


class TooManyCodes(RequestError):
    """The address has had as many codes as it may get for now; later it works again."""

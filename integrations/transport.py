"""The only door out: the sole importer of `requests`.

Every call has connect and read time-outs and a total deadline, follows no redirect, keeps a vendor's call rate,
honours Retry-After up to a cap, and raises one of the typed errors of `dsr.errors`. A vendor's answer body never
reaches an error text.
"""

from __future__ import annotations

import ipaddress
import json as jsonlib
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from dsr.errors import (
    CredentialsRejected,
    NotFound,
    Throttled,
    VendorAnswerUnexpected,
    VendorError,
    VendorRateLimited,
    VendorRefused,
    VendorUnavailable,
)

CONNECT_TIMEOUT = 3.05  # seconds; just over a TCP retransmission
READ_TIMEOUT = 10.0
TOTAL_DEADLINE = 30.0
RETRY_AFTER_CAP = 5.0  # waiting longer is the engine's business, which keeps it in the database
LONGEST_PAUSE = 86400.0  # a day; a vendor that asks for more is asked again after it all the same
TRIES = 3
LONGEST_WAIT = 5.0  # for one's turn under a vendor's call rate; longer, and the thread does something else
MAX_BODY = 64 * 2**20

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True)
class Answer:
    """A vendor's answer, read to its end within the deadline."""

    vendor: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The body as JSON; `{}` for an empty one.

        Raises:
            VendorAnswerUnexpected: it is not JSON.
        """
        if not self.content:
            return {}
        try:
            return jsonlib.loads(self.content)
        except (ValueError, RecursionError):  # the second: brackets without end
            raise VendorAnswerUnexpected(
                self.vendor, f"answered {self.status} with something that is not JSON"
            ) from None

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class RateLimit:
    """At most `calls` starts in `seconds`, for all threads of this process."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._gap = seconds / calls
        self._burst = seconds
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> float:
        """Sleep until the next call may start. A burst may use the whole allowance at once.

        Returns:
            0, or the seconds that it would take if that is too long for a thread to stand and wait.
        """
        with self._lock:
            now = time.monotonic()
            start = max(self._next, now - self._burst) + self._gap
            if start - now > LONGEST_WAIT:
                return start - now
            self._next = start
        time.sleep(max(0.0, start - now))
        return 0.0


class Transport:
    """Calls to one vendor.

    Args:
        vendor: the folder's name, for errors.
        base_url: from configuration only.
        headers: sent with every call (authentication, API version).
        auth: user and password of HTTP Basic.
        rate: the vendor's limit on calls; shared by whoever shares the object.
        deadline: seconds for one call with all its retries.
    """

    def __init__(
        self,
        vendor: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        rate: RateLimit | None = None,
        deadline: float = TOTAL_DEADLINE,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self.vendor = vendor
        self.base_url = base_url.rstrip("/")
        self._rate = rate
        self._deadline = deadline
        self._read_timeout = read_timeout
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy or .netrc of the machine gets between us and the vendor
        self._session.headers.update({"User-Agent": "privacy-desk", "Accept": "application/json", **(headers or {})})
        if auth:
            self._session.auth = auth
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=32)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, str]] | None = None,
        json: Any = None,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | None = None,
        retry: bool | None = None,
        accept: Sequence[int] = (),
    ) -> Answer:
        """Make one call and read the whole answer.

        Args:
            path: below the base URL, or an absolute URL on the same host.
            retry: whether a call of unknown fate may be repeated here; default: by the method's idempotence.
            accept: statuses besides 2xx that the caller wants to see instead of an error.

        Raises:
            VendorError: see `dsr.errors`; `.retry` says whether trying later can help.
        """
        again = method in IDEMPOTENT if retry is None else retry
        give_up_at = time.monotonic() + self._deadline
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(method, self._url(path), give_up_at, params, json, data, files, headers, accept)
            except VendorUnavailable as error:
                wait = error.retry_after if isinstance(error, VendorRateLimited) else None
                if wait is None:
                    wait = 0.2 * 2**attempt * (0.5 + random.random() / 2)  # noqa: S311  # jitter, not a secret
                may = again or isinstance(error, VendorRateLimited)  # a refused call had no effect
                if not may or attempt == TRIES or wait > RETRY_AFTER_CAP or time.monotonic() + wait > give_up_at:
                    raise
                time.sleep(wait)
        raise AssertionError("the loop above returns or raises")

    def pages(self, first: Answer, following: Any) -> Iterator[Any]:
        """All pages of a list: `following(page)` gives the next Answer, or None after the last."""
        page: Answer | None = first
        while page is not None:
            content = page.json()
            yield content
            page = following(content)

    def _url(self, path: str) -> str:
        if not path.startswith(("http://", "https://")):
            return f"{self.base_url}/{path.lstrip('/')}"
        if urlsplit(path)[:2] != urlsplit(self.base_url)[:2]:
            raise VendorAnswerUnexpected(self.vendor, "gave a link to another host")
        return path

    def _once(
        self,
        method: str,
        url: str,
        give_up_at: float,
        params: Any,
        json: Any,
        data: Any,
        files: Any,
        headers: Mapping[str, str] | None,
        accept: Sequence[int],
    ) -> Answer:
        if self._rate and (pause := self._rate.wait()):
            raise Throttled(self.vendor, "too many calls are waiting for their turn", pause)
        left = give_up_at - time.monotonic()
        if left <= 0:
            raise VendorUnavailable(self.vendor, "no time left for the call")
        try:
            response = self._session.request(
                method,
                url,
                params=params,
                json=json,
                data=data,
                files=files,
                headers=dict(headers or {}),
                timeout=(min(CONNECT_TIMEOUT, left), min(self._read_timeout, left)),
                allow_redirects=False,
                stream=True,
            )
            with response:
                content = self._read(response, give_up_at)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise VendorUnavailable(self.vendor, "did not answer in time") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise VendorUnavailable(self.vendor, f"the connection failed ({type(error).__name__})") from None
        answer = Answer(self.vendor, response.status_code, response.headers, content)
        if 200 <= answer.status < 300 or answer.status in accept:
            return answer
        raise self._error(answer)

    def _read(self, response: requests.Response, give_up_at: float) -> bytes:
        chunks, size = [], 0
        # read1 returns what has arrived: a body that drips byte by byte cannot outlast the deadline.
        while chunk := response.raw.read1(65536, decode_content=True):
            size += len(chunk)
            if time.monotonic() > give_up_at:
                raise VendorUnavailable(self.vendor, "the answer came too slowly")
            if size > MAX_BODY:
                raise VendorAnswerUnexpected(self.vendor, "the answer is too large")
            chunks.append(chunk)
        return b"".join(chunks)

    def _error(self, answer: Answer) -> VendorError:
        status = answer.status
        if status == 429:
            return VendorRateLimited(self.vendor, "asks us to slow down (429)", _retry_after(answer.headers))
        if status in (408, 425) or status >= 500:
            return VendorUnavailable(self.vendor, f"has a fault of its own ({status})")
        if status in (401, 403):
            return CredentialsRejected(self.vendor, f"our credentials do not allow this ({status})", status)
        if status == 404:
            return NotFound(self.vendor, "no such thing (404)", status)
        if 300 <= status < 400:
            return VendorAnswerUnexpected(self.vendor, f"redirects ({status}); we do not follow")
        return VendorRefused(self.vendor, f"refused the call ({status})", status)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, a day at most: Retry-After (RFC 9110 10.2.3) or X-RateLimit-Reset (unix seconds).

    Sentry has a header of its own: https://docs.sentry.io/api/ratelimits/
    """
    value = headers.get("Retry-After", "")
    reset = headers.get("X-RateLimit-Reset", "") or headers.get("X-Sentry-Rate-Limit-Reset", "")
    if _number(value):
        pause = float(value)
    elif value:
        try:
            pause = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    elif _number(reset) and float(reset) > 1e9:
        pause = float(reset) - time.time()
    else:
        return None
    return min(max(0.0, pause), LONGEST_PAUSE)


def _number(value: str) -> bool:
    return value.isascii() and value.isdigit()


def post_to_outside_url(vendor: str, url: str, *, allowed_base: str, json: Any) -> None:
    """POST to a URL that came from outside (Slack's response_url), if it is one that we may call.

    Args:
        allowed_base: scheme and host that the URL must have.

    Raises:
        VendorError: another host, a private or link-local address behind a public name, or the call failed.
    """
    wanted, got = urlsplit(allowed_base), urlsplit(url)
    if (got.scheme, got.netloc) != (wanted.scheme, wanted.netloc):
        raise VendorRefused(vendor, "a URL from outside points to a host that we do not call")
    # A twin on loopback is what the configuration itself names; anything else must resolve to public addresses.
    if wanted.hostname not in ("127.0.0.1", "localhost") and _is_private(got.hostname or ""):
        raise VendorRefused(vendor, "a URL from outside points to a private address")
    base = f"{got.scheme}://{got.netloc}"
    Transport(vendor, base).call("POST", url, json=json)


def _is_private(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return True
    return any(not ipaddress.ip_address(info[4][0]).is_global for info in found)

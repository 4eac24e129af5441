"""The door out: what a vendor's answer says cannot break or stop the desk."""

from __future__ import annotations

import time

import pytest
import responses

from dsr.errors import VendorAnswerUnexpected, VendorRateLimited
from integrations.transport import LONGEST_PAUSE, Transport

URL = "https://vendor.example.com"
NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "60"}, 60.0),
        ({"Retry-After": "10000000"}, LONGEST_PAUSE),
        ({"Retry-After": "9" * 400}, LONGEST_PAUSE),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_PAUSE),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"X-RateLimit-Reset": str(int(NOW) + 90)}, 90.0),
        ({"X-Sentry-Rate-Limit-Reset": str(int(NOW) + 90)}, 90.0),
        ({"X-RateLimit-Reset": str(int(NOW) * 1000)}, LONGEST_PAUSE),  # milliseconds
        ({"X-RateLimit-Reset": "30"}, None),
    ],
)
@responses.activate
def test_a_vendor_may_ask_for_a_pause_of_a_day_at_most(
    headers: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    responses.get(URL + "/x", status=429, headers=headers)
    with pytest.raises(VendorRateLimited) as told:
        Transport("vendor", URL).call("GET", "/x")
    assert told.value.retry_after == seconds


@responses.activate
def test_an_answer_of_brackets_without_end_is_an_unexpected_answer() -> None:
    responses.get(URL + "/x", body=b"[" * 200_000)
    answer = Transport("vendor", URL).call("GET", "/x")
    with pytest.raises(VendorAnswerUnexpected, match="not JSON"):
        answer.json()

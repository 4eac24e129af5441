"""Deadlines: the law's own examples, and a second implementation that shares no code with the first."""

from __future__ import annotations

import calendar
import json
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsr import deadlines, rules
from dsr.deadlines import Deadline, deadline, extend, parse_received, retention_end, to_json
from dsr.errors import TransitionNotAllowed

ZONE = ZoneInfo("Europe/Bucharest")
EU = [
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
]
YEARS = range(2020, 2030)


def of(text: str, **more: object) -> Deadline:
    return deadline(parse_received(text), **more)  # type: ignore[arg-type]


def day(when: datetime) -> str:
    return when.date().isoformat()


# ---- a second implementation, by counting and not by adding months -----------------------------------------------


@cache
def nominal_day_by_counting(receipt: date, months: int) -> date:
    """Walk day by day through `months` beginnings of a month; stop at the same number, or at that month's end."""
    passed, now = 0, receipt
    while True:
        now = date.fromordinal(now.toordinal() + 1)
        if now.day == 1:
            passed += 1
        is_last_of_month = now.day == calendar.monthrange(now.year, now.month)[1]
        if passed == months and (now.day == receipt.day or (is_last_of_month and now.day < receipt.day)):
            return now


def last_day_by_counting(receipt: date, months: int, off: set[date]) -> date:
    now = nominal_day_by_counting(receipt, months)
    while now.isoweekday() in (6, 7) or now in off:
        now = date.fromordinal(now.toordinal() + 1)
    return now


@pytest.mark.parametrize("country", EU)
def test_a_second_implementation_agrees_on_every_receipt_day_of_ten_years(country: str) -> None:
    off = set(holidays.country_holidays(country, years=range(YEARS.start, YEARS.stop + 1)))
    noon = datetime(YEARS.start, 1, 1, 12, tzinfo=ZONE)
    for n in range((date(YEARS.stop, 1, 1) - noon.date()).days):
        received = noon + timedelta(days=n)
        found = deadline(received, country=country)
        assert found.due.date() == last_day_by_counting(received.date(), 1, off)
        assert found.extended_due.date() == last_day_by_counting(received.date(), 3, off)


# ---- examples of the law and of the EDPB ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2024-03-05", "2024-04-05"),  # EDPB: 5 March is due 5 April
        ("2026-08-31", "2026-09-30"),  # EDPB: no 31 September
        ("2023-08-31", "2023-10-02"),  # 30 September 2023 is a Saturday
        ("2025-01-31", "2025-02-28"),
        ("2024-01-31", "2024-02-29"),  # leap year
        ("2026-01-31", "2026-03-02"),  # 28 February 2026 is a Saturday
        ("2023-12-06", "2024-01-08"),  # 6 January is a holiday since 2024, and a Saturday; then Sunday
        ("2025-12-06", "2026-01-08"),  # 6 and 7 January are holidays
        ("2022-12-06", "2023-01-06"),  # they were not in 2023
        ("2026-03-10", "2026-04-14"),  # Orthodox Good Friday to Easter Monday
        ("2025-11-25", "2025-12-29"),  # both days of Christmas, then a weekend
        ("2026-11-30", "2026-12-30"),
        ("2026-12-31", "2027-02-01"),  # 31 January 2027 is a Sunday
    ],
)
def test_examples_in_romania(received: str, due: str) -> None:
    assert day(of(received).due) == due


def test_the_due_time_is_the_last_second_of_the_day_in_the_controllers_time_zone() -> None:
    found = of("2024-03-05T09:00:00+01:00")
    assert found.due.isoformat() == "2024-04-05T23:59:59+03:00"
    assert found.extended_due.isoformat() == "2024-06-05T23:59:59+03:00"


def test_the_day_of_receipt_is_the_day_in_the_controllers_time_zone() -> None:
    late = of("2026-03-05T22:30:00Z")  # half past midnight in Cluj
    assert late.receipt_day == date(2026, 3, 6)
    assert day(late.due) == "2026-04-06"
    elsewhere = deadline(parse_received("2026-03-05T22:30:00Z"), country="PT", timezone="Europe/Lisbon")
    assert elsewhere.receipt_day == date(2026, 3, 5)


def test_a_message_that_is_noticed_late_has_fewer_days() -> None:
    assert of("2024-03-05T08:00").due == of("2024-03-05T23:59:59").due < of("2024-03-08").due


def test_thirty_days_would_be_wrong_on_most_days_of_2026_and_too_late_on_24() -> None:
    differs = too_late = 0
    for n in range(365):
        received = datetime(2026, 1, 1, 12, tzinfo=ZONE) + timedelta(days=n)
        due = deadline(received).due.date()
        naive = received.date() + timedelta(days=30)
        differs += naive != due
        too_late += naive > due
    assert (differs, too_late) == (273, 24)


def test_the_extension_is_counted_from_receipt_and_not_from_the_first_due_date() -> None:
    found = of("2026-01-31")  # first due date: 2 March, rolled
    assert day(found.extended_due) == "2026-04-30"
    assert day(of("2025-11-30").extended_due) == "2026-03-02"  # 28 February 2026 is a Saturday


@given(st.integers(0, 220 * 365 * 24), st.sampled_from(EU))
def test_never_later_than_the_law(hours: int, country: str) -> None:
    found = deadline(datetime(1971, 1, 1, tzinfo=UTC) + timedelta(hours=hours), country=country)
    receipt, last = found.receipt_day, found.due.date()
    month_end = found.due.date()
    while (month_end.month - receipt.month) % 12 != 1 or month_end.day > receipt.day:
        month_end -= timedelta(days=1)
    assert deadlines.is_working_day(last, country)
    # Between the nominal end and the due date there is not one day on which people work.
    between = (month_end + timedelta(days=n) for n in range((last - month_end).days))
    assert not any(deadlines.is_working_day(d, country) for d in between)
    assert found.received < found.acknowledge_by < found.target < found.due < found.extended_due
    assert found.act_by == found.due


# ---- identity: two clocks ------------------------------------------------------------------------------------------


def test_both_clocks_are_kept_and_the_earlier_one_counts() -> None:
    found = of(
        "2026-03-05T10:00",
        identity_requested_at=parse_received("2026-03-05T11:00"),
        identity_proved_at=parse_received("2026-03-09T12:00"),
    )
    assert day(found.due) == "2026-04-06"  # 5 April is a Sunday
    assert found.suspended_due is not None
    assert day(found.suspended_due) == "2026-04-09"  # 5 April and 4 whole days
    assert found.act_by == found.due
    assert "Art. 12(6)" in " ".join(step.article for step in found.derivation)


def test_waiting_counts_in_whole_days_that_passed_also_across_a_change_of_the_clock() -> None:
    received = parse_received("2026-03-27T10:00")
    asked = parse_received("2026-03-28T12:00")
    nearly = deadline(received, identity_requested_at=asked, identity_proved_at=parse_received("2026-03-29T12:00"))
    assert nearly.suspended_due == nearly.due  # the night of 29 March has 23 hours


def test_while_the_proof_is_out_there_is_no_second_date() -> None:
    found = of("2026-03-05", identity_requested_at=parse_received("2026-03-06"))
    assert found.suspended_due is None
    assert found.waiting_since == parse_received("2026-03-06")
    assert found.act_by == found.due


def test_asking_after_the_due_date_suspends_nothing() -> None:
    late = of(
        "2026-03-05",
        identity_requested_at=parse_received("2026-05-01"),
        identity_proved_at=parse_received("2026-05-09"),
    )
    assert (late.suspended_due, late.waiting_since) == (None, None)


@pytest.mark.parametrize(
    ("asked", "proved"), [("2026-03-04", None), ("2026-03-08", "2026-03-07"), (None, "2026-03-07")]
)
def test_identity_times_out_of_order_are_refused(asked: str | None, proved: str | None) -> None:
    with pytest.raises(ValueError, match="identity_"):
        of(
            "2026-03-05",
            identity_requested_at=asked and parse_received(asked),
            identity_proved_at=proved and parse_received(proved),
        )


# ---- extension -----------------------------------------------------------------------------------------------------


def test_an_extension_inside_month_one_moves_the_due_date_once() -> None:
    first = of("2024-03-05")
    second = extend(first, first.due)
    assert second.due == first.extended_due
    assert second.extended
    assert second.warnings[-1] > first.due
    assert second.derivation[: len(first.derivation)] == first.derivation
    with pytest.raises(TransitionNotAllowed, match=r"Art\. 12\(3\).*once"):
        extend(second, first.due)


def test_an_extension_after_month_one_is_refused_by_article() -> None:
    first = of("2024-03-05")
    with pytest.raises(TransitionNotAllowed, match=r"GDPR Art\. 12\(3\)"):
        extend(first, first.due + timedelta(seconds=1))
    with pytest.raises(TransitionNotAllowed):
        extend(first, datetime(2024, 4, 5, 21, 0, 0, tzinfo=UTC))  # midnight in Romania


def test_waiting_for_identity_does_not_buy_time_to_extend() -> None:
    found = of(
        "2026-03-05",
        identity_requested_at=parse_received("2026-03-05"),
        identity_proved_at=parse_received("2026-03-25"),
    )
    assert found.suspended_due is not None
    with pytest.raises(TransitionNotAllowed):
        extend(found, found.suspended_due)
    extended = extend(found, found.due)
    assert extended.suspended_due is not None
    assert day(extended.suspended_due) == "2026-06-25"


# ---- CCPA ----------------------------------------------------------------------------------------------------------


def test_ccpa_counts_calendar_and_business_days_whatever_identity_takes() -> None:
    found = of("2026-06-29", regime="ccpa", identity_requested_at=parse_received("2026-06-30"))
    assert day(found.due) == "2026-08-13"  # 45 days
    assert day(found.extended_due) == "2026-09-27"  # 90 days, a Sunday: not moved
    assert day(found.acknowledge_by) == "2026-07-14"  # 10 business days; 3 July is a holiday
    assert day(found.opt_out_by) == "2026-07-21"  # 15 business days
    assert (found.suspended_due, found.waiting_since) == (None, None)
    assert found.calendar.endswith(" US")


def test_a_ccpa_extension_after_45_days_is_refused_by_its_own_article() -> None:
    found = of("2026-06-29", regime="ccpa")
    assert extend(found, found.due).due == found.extended_due
    with pytest.raises(TransitionNotAllowed, match=r"1798\.130"):
        extend(found, found.due + timedelta(seconds=1))


# ---- input and output ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-03-05T10:30:00+01:00", "2026-03-05T11:30:00+02:00"),
        ("2026-03-05T10:30:00Z", "2026-03-05T12:30:00+02:00"),
        ("2026-07-05 10:30", "2026-07-05T10:30:00+03:00"),
        (" 2026-03-05 ", "2026-03-05T00:00:00+02:00"),
    ],
)
def test_a_time_of_receipt_is_read(text: str, read: str) -> None:
    assert parse_received(text).isoformat() == read


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "05/03/2026", "2026-03-05T25:00", "0001-01-01T00:00Z", "9999-12-31"]
)
def test_what_is_not_a_time_of_receipt_is_refused_clearly(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected ISO 8601|the year must be"):
        parse_received(text)


def test_a_naive_time_an_unknown_country_zone_or_regime_is_refused() -> None:
    now = datetime(2026, 3, 5, tzinfo=UTC)
    for arguments in (
        {"received": datetime(2026, 3, 5)},  # noqa: DTZ001  # what is tested
        {"received": now, "country": "XX"},
        {"received": now, "timezone": "Europe/Atlantis"},
        {"received": now, "timezone": "../../etc/passwd"},
        {"received": now, "regime": "lgpd"},
    ):
        with pytest.raises(ValueError, match=r"time zone|country|timezone|regime"):
            deadline(**arguments)  # type: ignore[arg-type]


def test_the_json_has_what_others_rely_on_and_every_step_its_article() -> None:
    found = json.loads(json.dumps(to_json(of("2026-03-10T08:00", country="ro"))))
    assert {"received", "country", "receipt_day", "due", "extended_due", "derivation", "calendar"} <= set(found)
    assert found["country"] == "RO"
    assert found["due"] == "2026-04-14T23:59:59+03:00"
    assert found["calendar"] == f"holidays {holidays.__version__} RO"
    steps = found["derivation"]
    assert [step["rule"] for step in steps] == [
        "gdpr-receipt",
        "gdpr-answer",
        "gdpr-month",
        "gdpr-working-day",
        "gdpr-extension",
    ]
    assert [step["date"] for step in steps] == ["2026-03-10", "2026-04-10", "2026-04-10", "2026-04-14", "2026-06-10"]
    assert all(step["article"] and step["text"] for step in steps)


def test_warnings_come_14_7_3_and_1_days_before() -> None:
    found = of("2024-03-05")
    assert [(found.due.date() - when.date()).days for when in found.warnings] == [14, 7, 3, 1]


def test_promotional_mail_has_stopped_within_48_hours_that_pass() -> None:
    found = of("2026-03-28T12:00")  # the clock changes in the night
    assert found.opt_out_by.astimezone(UTC) - found.received.astimezone(UTC) == timedelta(hours=48)


# ---- rules as dated data -------------------------------------------------------------------------------------------


def test_every_rule_has_an_article_a_source_and_a_first_day() -> None:
    for id, versions in rules.all_rules().items():
        assert len({version.valid_from for version in versions}) == len(versions), id
        for version in versions:
            assert version.article, id
            assert version.source, id
            assert version.house == (version.article == "internal"), id


def test_a_later_version_of_a_rule_counts_from_its_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    old = rules.Rule("x", "Art. 1", date(2020, 1, 1), "law", "one", months=1)
    new = rules.Rule("x", "Art. 1", date(2030, 1, 1), "law", "two", months=2)
    monkeypatch.setattr(rules, "all_rules", lambda: {"x": (old, new)})
    assert rules.rule("x", date(2019, 1, 1)) is old
    assert rules.rule("x", date(2029, 12, 31)) is old
    assert rules.rule("x", date(2030, 1, 1)) is new


def test_accounting_documents_are_kept_five_years_from_1_july_after_the_financial_year() -> None:
    assert retention_end("ro-accounting-documents", date(2023, 1, 1)) == date(2029, 7, 1)
    assert retention_end("ro-accounting-documents", date(2025, 12, 31)) == date(2031, 7, 1)
    assert retention_end("ro-accounting-documents", date(2022, 12, 31)) is None  # an older rule: a person decides

"""When a request must be answered, and why then. Pure: dates in, dates out.

The month of GDPR 12(3) is counted by Regulation (EEC, Euratom) No 1182/71 with the public holidays of the
controller's country; CCPA is a second regime. All numbers stand in `rules.toml`. Public holidays are those of the
`holidays` package, nation-wide ones only; the version is part of every deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import holidays
from dateutil.relativedelta import relativedelta
from holidays.version import __version__ as CALENDAR_VERSION

from dsr.errors import TransitionNotAllowed
from dsr.rules import Rule, all_rules, rule

Regime = Literal["gdpr", "ccpa"]
_YEARS = range(1970, 2200)  # what the calendar of moveable feasts is trusted for
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """One step of a derivation: which rule led to which day.

    Args:
        rule: id in `rules.toml`.
        date: the day after this step.
    """

    rule: str
    article: str
    text: str
    date: date


@dataclass(frozen=True)
class Deadline:
    """A due date with its derivation. All date-times are aware; those with a "due" are the last second of a day,
    but for a period of hours (`opt_out`).

    Args:
        received: as the channel says, in the controller's time zone.
        receipt_day: the day of receipt there; not counted.
        due: the hard date, whatever identity takes.
        extended_due: the due date if the one extension is used.
        suspended_due: the due date if waiting for proof of identity suspends the period; None while nobody was
            asked, while the proof is still out, and where the law knows no suspension.
        waiting_since: when proof of identity was asked for, while it is still out.
        acknowledge_by: confirm receipt by then (GDPR: house rule, CCPA: law).
        target: internal target for the answer.
        opt_out_by: promotional mail (CCPA: sale and sharing) has stopped everywhere by then.
        warnings: when agents and DPO are warned, earliest first.
        extended: the extension is used: `due` is `extended_due`.
        calendar: holiday package, version and country, e.g. `holidays 0.109 RO`.
    """

    received: datetime
    regime: Regime
    country: str
    timezone: str
    receipt_day: date
    due: datetime
    extended_due: datetime
    suspended_due: datetime | None
    waiting_since: datetime | None
    acknowledge_by: datetime
    target: datetime
    opt_out_by: datetime
    warnings: tuple[datetime, ...]
    derivation: tuple[Step, ...]
    calendar: str
    extended: bool = False
    suspended_days: int = 0

    @property
    def act_by(self) -> datetime:
        """The earlier of the two clocks."""
        return min(self.due, self.suspended_due or self.due)


def deadline(
    received: datetime,
    country: str = "RO",
    timezone: str = "Europe/Bucharest",
    regime: Regime = "gdpr",
    *,
    identity_requested_at: datetime | None = None,
    identity_proved_at: datetime | None = None,
) -> Deadline:
    """The deadline of a request.

    Args:
        received: when it arrived at an official channel, by the channel's own clock; aware.
        country: ISO 3166-1 alpha-2 of the controller; its public holidays count.
        timezone: IANA name of the controller's time zone; fixes the day of receipt and the end of the last day.
        identity_requested_at, identity_proved_at: when proof of identity was asked for and given; aware.

    Raises:
        ValueError: a date-time is naive or out of order; unknown country, time zone or regime.
    """
    zone = _zone(timezone)
    received = _local(received, zone, "received")
    day = received.date()
    if regime not in ("gdpr", "ccpa"):
        raise ValueError("regime must be gdpr or ccpa")
    calendar = rule("ccpa-receipt", day).calendar if regime == "ccpa" else country.upper()
    _check_country(country.upper())
    waited, waiting_since = _waited(received, identity_requested_at, identity_proved_at, zone)

    receipt = rule(f"{regime}-receipt", day)
    steps = [Step(receipt.id, receipt.article, f"received {received.isoformat()}: {receipt.text}", day)]
    nominal = _add(day, (rule(f"{regime}-answer", day),), calendar)
    last, why = _last_day(regime, day, nominal, calendar)
    steps += [_step(rule(f"{regime}-answer", day), nominal), *why]
    if regime == "ccpa":  # what GDPR leaves to the house is law here
        for law in (rule("ccpa-acknowledge", day), rule("ccpa-opt-out", day)):
            steps.append(_step(law, _add(day, (law,), calendar)))
    extension = rule(f"{regime}-extension", day)
    extended, _ = _last_day(regime, day, _extended_nominal(regime, day, calendar), calendar)

    due = _end_of(last, zone)
    suspended_due = None
    if regime == "gdpr" and identity_requested_at is not None and identity_requested_at <= due:
        clock = rule("gdpr-identity", day)
        if identity_proved_at is not None:
            later = roll(nominal + waited * _DAY, calendar)
            suspended_due = _end_of(later, zone)
            text = f"{clock.text}; with suspension of {waited} whole days it would be this day"
            steps.append(Step(clock.id, clock.article, text, later))
        else:
            steps.append(Step(clock.id, clock.article, f"{clock.text}; the proof is still out", last))
    else:
        waited, waiting_since = 0, None
    steps.append(Step(extension.id, extension.article, f"if extended: {extension.text}", extended))

    opt_out = rule(f"{regime}-opt-out", day)
    stopped = (received.astimezone(UTC) + timedelta(hours=opt_out.hours)).astimezone(zone)  # hours that pass
    return Deadline(
        received=received,
        regime=regime,
        country=country.upper(),
        timezone=timezone,
        receipt_day=day,
        due=due,
        extended_due=_end_of(extended, zone),
        suspended_due=suspended_due,
        waiting_since=waiting_since,
        acknowledge_by=_end_of(_add(day, (rule(f"{regime}-acknowledge", day),), calendar), zone),
        target=_end_of(_add(day, (rule(f"{regime}-target", day),), calendar), zone),
        opt_out_by=stopped if opt_out.hours else _end_of(_add(day, (opt_out,), calendar), zone),
        warnings=warnings(regime, received, due, zone),
        derivation=tuple(steps),
        calendar=f"holidays {CALENDAR_VERSION} {calendar}",
        suspended_days=waited,
    )


def extend(deadline: Deadline, now: datetime) -> Deadline:
    """The deadline after its one extension, whose notice with reasons goes out now.

    Raises:
        TransitionNotAllowed: it is extended already, or the first period is over; names the article.
        ValueError: `now` is naive.
    """
    zone = _zone(deadline.timezone)
    now = _local(now, zone, "now")
    day, regime = deadline.receipt_day, deadline.regime
    extension = rule(f"{regime}-extension", day)
    if deadline.extended:
        raise TransitionNotAllowed(f"{extension.article}: a deadline can be extended once only")
    if now > deadline.due:
        period = "one month" if regime == "gdpr" else "45 days"
        raise TransitionNotAllowed(f"{extension.article}: the notice of an extension must go out inside {period}")
    calendar = deadline.calendar.rsplit(" ", 1)[1]
    nominal = _extended_nominal(regime, day, calendar)
    last = deadline.extended_due.date()
    suspended = deadline.suspended_due and _end_of(roll(nominal + deadline.suspended_days * _DAY, calendar), zone)
    step = Step(extension.id, extension.article, f"extended {now.isoformat()}: {extension.text}", last)
    return replace(
        deadline,
        due=deadline.extended_due,
        suspended_due=suspended,
        warnings=warnings(regime, deadline.received, deadline.extended_due, zone),
        derivation=(*deadline.derivation, step),
        extended=True,
    )


def opt_out(deadline: Deadline) -> Deadline:
    """The deadline of a request that only stops promotional mail (CCPA: sale and sharing).

    It is honoured at once, so that there is no proof to wait for and no extension: GDPR Art. 21(3), 11 CCR § 7026(f).
    """
    day, regime, due = deadline.receipt_day, deadline.regime, deadline.opt_out_by
    first = next(step for step in deadline.derivation if step.rule == f"{regime}-receipt")
    return replace(
        deadline,
        due=due,
        extended_due=due,
        suspended_due=None,
        waiting_since=None,
        acknowledge_by=min(deadline.acknowledge_by, due),
        target=min(deadline.target, due),
        warnings=warnings(regime, deadline.received, due, _zone(deadline.timezone)),
        derivation=(first, _step(rule(f"{regime}-opt-out", day), due.date())),
    )


def warnings(regime: Regime, received: datetime, due: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """When agents and DPO are warned, earliest first.

    Args:
        received: fixes which version of the rule applies; of a period shorter than its days, hours are counted.
        due: the date in force, extended or not.
    """
    found, due = rule(f"{regime}-warnings", received.astimezone(zone).date()), due.astimezone(zone)
    if due.astimezone(UTC) - received.astimezone(UTC) < max(found.days_before) * _DAY:
        hours = (due.astimezone(UTC) - timedelta(hours=n) for n in found.hours_before)  # hours that pass
        return tuple(sorted(at.astimezone(zone) for at in hours))
    return tuple(sorted(due - n * _DAY for n in found.days_before))


def roll(day: date, country: str) -> date:
    """The day itself, or the next working day if it is a Saturday, Sunday or public holiday (Reg. 1182/71 3(4))."""
    while not is_working_day(day, country):
        day += _DAY
    return day


def is_working_day(day: date, country: str) -> bool:
    """Neither Saturday, Sunday nor public holiday (Reg. 1182/71 2(2))."""
    return day.weekday() < 5 and day not in public_holidays(country, day.year)


@lru_cache(maxsize=1024)
def public_holidays(country: str, year: int) -> frozenset[date]:
    """The nation-wide public holidays of one year."""
    return frozenset(holidays.country_holidays(country, years=year))


def retention_end(rule_id: str, issued_on: date) -> date | None:
    """The first day on which a record that the law keeps may be erased.

    Returns None for a record from before the rule's first day: which older rule applied, a person decides.

    Raises:
        KeyError: no such rule.
    """
    if issued_on < all_rules()[rule_id][0].valid_from:
        return None
    found = rule(rule_id, issued_on)
    return date(issued_on.year + 1 + found.years, found.starts_month, found.starts_day)


def parse_received(text: str, timezone: str = "Europe/Bucharest") -> datetime:
    """Read a time of receipt: ISO 8601 with an offset; without one it is the controller's local time; a bare date
    is the start of that day there.

    Raises:
        ValueError: it is none of these, or the year is out of range.
    """
    zone = _zone(timezone)
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("expected ISO 8601, e.g. 2026-03-05 or 2026-03-05T10:30:00+02:00") from None
    return _local(when.replace(tzinfo=zone) if when.tzinfo is None else when, zone, "received")


def to_json(deadline: Deadline) -> dict[str, object]:
    """A deadline as JSON values: date-times in ISO 8601 with offset, dates in ISO 8601."""

    def iso(when: datetime | None) -> str | None:
        return when.isoformat() if when else None

    return {
        "received": iso(deadline.received),
        "regime": deadline.regime,
        "country": deadline.country,
        "timezone": deadline.timezone,
        "receipt_day": deadline.receipt_day.isoformat(),
        "due": iso(deadline.due),
        "extended_due": iso(deadline.extended_due),
        "suspended_due": iso(deadline.suspended_due),
        "waiting_since": iso(deadline.waiting_since),
        "act_by": iso(deadline.act_by),
        "acknowledge_by": iso(deadline.acknowledge_by),
        "target": iso(deadline.target),
        "opt_out_by": iso(deadline.opt_out_by),
        "warnings": [iso(when) for when in deadline.warnings],
        "extended": deadline.extended,
        "derivation": [
            {"rule": step.rule, "article": step.article, "text": step.text, "date": step.date.isoformat()}
            for step in deadline.derivation
        ],
        "calendar": deadline.calendar,
    }


def _add(day: date, lengths: tuple[Rule, ...], calendar: str) -> date:
    """A day plus rules' lengths; months are added in one sum, so that 31 January + 1 + 2 months is 30 April."""
    end = day + relativedelta(months=sum(r.months for r in lengths), days=sum(r.days for r in lengths))
    for _ in range(sum(r.business_days for r in lengths)):
        end = roll(end + _DAY, calendar)
    return end


def _extended_nominal(regime: Regime, day: date, calendar: str) -> date:
    return _add(day, (rule(f"{regime}-answer", day), rule(f"{regime}-extension", day)), calendar)


def _last_day(regime: Regime, receipt: date, nominal: date, calendar: str) -> tuple[date, list[Step]]:
    """The last day of a period, with the steps that led from its nominal end there. CCPA days are not moved."""
    if regime == "ccpa":
        return nominal, []
    last = roll(nominal, calendar)
    steps = [_step(rule("gdpr-month", receipt), nominal)]
    if last != nominal:
        steps.append(_step(rule("gdpr-working-day", receipt), last))
    return last, steps


def _waited(
    received: datetime, asked: datetime | None, proved: datetime | None, zone: ZoneInfo
) -> tuple[int, datetime | None]:
    """Whole days (of 24 hours, never rounded up) of waiting for proof; and since when, if it is still out."""
    if asked is None:
        if proved is not None:
            raise ValueError("identity_proved_at needs identity_requested_at")
        return 0, None
    asked = _local(asked, zone, "identity_requested_at")
    if asked < received:
        raise ValueError("identity_requested_at is before received")
    if proved is None:
        return 0, asked
    proved = _local(proved, zone, "identity_proved_at")
    if proved < asked:
        raise ValueError("identity_proved_at is before identity_requested_at")
    return (proved.astimezone(UTC) - asked.astimezone(UTC)) // _DAY, None


def _step(found: Rule, day: date) -> Step:
    return Step(found.id, found.article, found.text, day)


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last second of a day."""
    return datetime.combine(day, time(23, 59, 59), zone)


def _local(when: datetime, zone: ZoneInfo, name: str) -> datetime:
    if when.tzinfo is None:
        raise ValueError(f"{name} must have a time zone")
    if when.year not in _YEARS:
        raise ValueError(f"{name}: the year must be from {_YEARS.start} to {_YEARS.stop - 1}")
    return when.astimezone(zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError("timezone is not one of the IANA database") from None


@lru_cache(maxsize=64)
def _check_country(country: str) -> None:
    if country not in holidays.list_supported_countries(include_aliases=False):
        raise ValueError("country: the public holidays of this country are not known")

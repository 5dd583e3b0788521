"""Cron expressions by the rules of crontab(5), and their times.

Weekdays count from Sunday (0 or 7), ranges and lists may be named (``mon-fri``), and a day matches
day of month *or* weekday where neither field begins with ``*``. Changes of the clock are handled
as cron(8) does: see :meth:`CronTrigger.get_next_fire_time`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fingru.errors import ConfigError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day", 1, 31, {}),
    ("month", 1, 12, {name: n for n, name in enumerate(_MONTHS, start=1)}),
    ("weekday", 0, 7, {name: n for n, name in enumerate(_WEEKDAYS)}),
)
_YEARS_AHEAD = 41  # 29 February falls on every weekday within 40 years, even across 2100
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class CronTrigger:
    """The times of a cron expression in a time zone."""

    expression: str  # as written
    zone: ZoneInfo
    minutes: frozenset[int]  # matching values; weekdays from 0 = Sunday to 6
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # day of month or weekday is enough; else both must match
    fixed: bool  # neither minute nor hour begins with ``*``

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """First time at or after ``now`` and after ``previous``, in the trigger's zone.

        When the clock is put forward, a fixed time that is skipped fires just after the change;
        when it is put back, a fixed time fires only once. Expressions with ``*`` as minute or
        hour follow the clock: never in a skipped hour, twice in a repeated one. None if there is
        no such time in the coming decades.
        """
        # In UTC: times of one zone compare by clock time, which repeats itself.
        begin = now.astimezone(UTC)
        if previous is not None:
            begin = max(begin, previous.astimezone(UTC) + timedelta(microseconds=1))
        return next(self._from(begin), None)

    def upcoming(self, now: datetime, n: int) -> list[datetime]:
        """The next ``n`` times from ``now`` on."""
        return list(islice(self._from(now.astimezone(UTC)), n))

    def _from(self, begin: datetime) -> Iterator[datetime]:
        # A day early: a time skipped by a change of the clock may fire on the day after.
        day = begin.astimezone(self.zone).date() - timedelta(days=1)
        last = begin - timedelta(microseconds=1)
        for _ in range(366 * _YEARS_AHEAD):
            if self._has(day):
                for instant in sorted(
                    instant
                    for hour in self.hours
                    for minute in self.minutes
                    for instant in self._instants(datetime.combine(day, time(hour, minute)))
                ):
                    if instant > last:
                        yield instant.astimezone(self.zone)
                        last = instant
            day += timedelta(days=1)

    def _has(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def _instants(self, local: datetime) -> Iterator[datetime]:
        """Instants (UTC) at which ``local`` fires: none, one or two."""
        first, second = (
            local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1)
        )
        if _shown(local, self.zone):
            yield first
            if second != first and not self.fixed:
                yield second
        elif self.fixed:
            while not _shown(local, self.zone):
                local += _MINUTE
            yield local.replace(tzinfo=self.zone).astimezone(UTC)


def cron_trigger(expression: str, zone: str = "UTC") -> CronTrigger:
    """Read an expression of five fields, or a nickname such as ``@daily``.

    Raises ``ConfigError`` if it is malformed, never matches, or the time zone is unknown.

    Examples
    --------
    >>> saturday = datetime(2026, 11, 28, tzinfo=UTC)
    >>> f"{cron_trigger('0 6 * * 1-5').get_next_fire_time(None, saturday):%a %d %b %H:%M}"
    'Mon 30 Nov 06:00'
    """
    fields = _NICKNAMES.get(expression.strip().lower(), expression).split()
    if len(fields) != len(_FIELDS):
        raise _refusal(expression, f"it has {len(fields)} fields, not five")
    sets = []
    for text, (name, low, high, names) in zip(fields, _FIELDS, strict=True):
        try:
            sets.append(_values(text.lower(), low, high, names))
        except ValueError as error:
            raise _refusal(expression, f"{name} {text!r} {error}") from None
    minutes, hours, days, months, weekdays = sets
    starred = [text.startswith("*") for text in fields]
    trigger = CronTrigger(
        expression, _zone(zone), minutes, hours, days, months,
        frozenset(day % 7 for day in weekdays),
        either_day=not (starred[2] or starred[4]),
        fixed=not (starred[0] or starred[1]),
    )  # fmt: skip
    if trigger.get_next_fire_time(None, datetime.now(UTC)) is None:
        raise _refusal(expression, "no day is like that")
    return trigger


def _values(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    """Values of a field: a list of ``*``, numbers, names and ranges, with optional steps."""
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, 1, high - low + 1, {}) if slash else 1
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = low, high
        else:
            first = _number(first_text, low, high, names)
            last = _number(last_text, low, high, names) if dash else high if slash else first
        if last_text == "sun" and first:  # from Sunday on, it is the first day
            last = 7
        if last < first:
            raise ValueError(f"runs backwards in {span!r}")
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, low: int, high: int, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"has {text!r} where a number belongs" if text else "lacks a number")
    if not low <= int(text) <= high:
        raise ValueError(f"has {text}, which is not within {low} to {high}")
    return int(text)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ConfigError(
            f"there is no time zone {name!r}", "write it like Europe/Berlin"
        ) from error


def _refusal(expression: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{expression!r} is not a cron expression: {reason}",
        "write minute hour day month weekday, such as '0 6 * * mon-fri'",
    )


def _shown(local: datetime, zone: ZoneInfo) -> bool:
    """Whether a clock of the zone ever shows this time."""
    there = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None, fold=0) == local

"""Cron expressions: what crontab(5) says, against a clock that is watched minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.errors import ConfigError
from fingru.retrain.crontab import cron_trigger

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)


def days(expression, n=7, since=SUNDAY, zone="UTC"):
    return [f"{found:%a %d}" for found in cron_trigger(expression, zone).upcoming(since, n)]


@pytest.mark.parametrize(
    ("weekday", "expected"),
    [
        ("1-5", ["Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27", "Mon 30"]),
        ("mon-fri", ["Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27", "Mon 30"]),
        ("MON-Fri", ["Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27", "Mon 30"]),
        ("0", ["Sun 22", "Sun 29", "Sun 06"]),
        ("7", ["Sun 22", "Sun 29", "Sun 06"]),
        ("sun", ["Sun 22", "Sun 29", "Sun 06"]),
        ("5", ["Fri 27", "Fri 04"]),
        ("5-7", ["Sun 22", "Fri 27", "Sat 28", "Sun 29"]),
        ("fri-sun", ["Sun 22", "Fri 27", "Sat 28", "Sun 29"]),
        ("0,3", ["Sun 22", "Wed 25", "Sun 29"]),
        ("*/2", ["Sun 22", "Tue 24", "Thu 26", "Sat 28", "Sun 29"]),
        ("1-5/2", ["Mon 23", "Wed 25", "Fri 27", "Mon 30"]),
        ("0-6", ["Sun 22", "Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27", "Sat 28"]),
        ("1-7", ["Sun 22", "Mon 23", "Tue 24", "Wed 25", "Thu 26", "Fri 27", "Sat 28"]),
    ],
)
def test_weekdays_count_from_sunday(weekday, expected):
    """By the calendar: 22 November 2026 is a Sunday."""
    assert days(f"0 6 * * {weekday}", len(expected)) == expected


def test_day_of_month_or_weekday_where_both_are_written_out():
    """crontab(5): "30 4 1,15 * 5" runs at 4:30 on the 1st, the 15th and every Friday."""
    assert days("30 4 1,15 * 5", 6) == ["Fri 27", "Tue 01", "Fri 04", "Fri 11", "Tue 15", "Fri 18"]
    # A field that begins with * does not restrict, with a step either: both have to match.
    assert days("30 4 */2 * 5", 3) == ["Fri 27", "Fri 11", "Fri 25"]
    assert days("30 4 13 * *", 2) == ["Sun 13", "Wed 13"]


def test_months_steps_and_nicknames():
    def when(expression, n=2):
        return [f"{t:%d.%m. %H:%M}" for t in cron_trigger(expression).upcoming(SUNDAY, n)]

    assert when("0 0 1 jan,JUL *") == ["01.01. 00:00", "01.07. 00:00"]
    assert when("*/20 8-9 * * *", 4) == [
        "22.11. 08:00", "22.11. 08:20", "22.11. 08:40", "22.11. 09:00",
    ]  # fmt: skip
    assert when("10/25 0 * * *", 3) == ["22.11. 00:10", "22.11. 00:35", "23.11. 00:10"]
    assert when("@daily") == when("0 0 * * *") == when(" @Midnight ")
    assert when("@weekly") == ["22.11. 00:00", "29.11. 00:00"]
    assert when("@monthly") == ["01.12. 00:00", "01.01. 00:00"]
    assert when("@yearly", 1) == ["01.01. 00:00"]
    assert when("0\t0  29 2 *", 1) == ["29.02. 00:00"]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "0 fields"), ("every monday", "2 fields"), ("0 6 * *", "4 fields"),
        ("0 6 * * * *", "6 fields"), ("99 6 * * *", "minute '99' has 99"), ("a b c d e", "'a'"),
        ("0 24 * * *", "within 0 to 23"), ("0 0 0 * *", "within 1 to 31"),
        ("0 0 * 13 *", "within 1 to 12"), ("0 0 * * 8", "weekday '8'"),
        ("0 0 * * fri-mon", "backwards"), ("0 22-2 * * *", "backwards"),
        ("*/0 * * * *", "within 1 to 60"), ("*/90 * * * *", "within 1 to 60"),
        ("0 0 L * *", "'l'"), ("0 0 ? * 1", "'\\?'"), ("0 0 * * 5#2", "'5#2'"),
        ("0,,5 * * * *", "lacks a number"), ("5- * * * *", "lacks a number"),
        ("-5 * * * *", "lacks a number"), ("*/ * * * *", "lacks a number"),
        ("*-5 0 * * *", "'\\*'"),
        ("1.5 0 * * *", "'1.5'"), ("٣ 0 * * *", "where a number belongs"),
        ("0 0 * mon *", "'mon'"), ("@reboot", "1 fields"), ("0 0 30 2 *", "no day is like that"),
    ],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused_with_the_reason(expression, reason):
    with pytest.raises(ConfigError, match=reason) as refused:
        cron_trigger(expression)
    assert "minute hour day month weekday" in str(refused.value)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc", "CEST!", "/etc/passwd"])
def test_an_unknown_time_zone_is_refused(zone):
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        cron_trigger("0 6 * * *", zone)


def test_times_are_those_of_the_zone():
    trigger = cron_trigger("30 6 * * mon-fri", "Europe/Berlin")
    saturday = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, saturday) == datetime(2026, 7, 6, 4, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "forward", "back"),
    [("Europe/Berlin", (2026, 3, 29, 1), (2026, 10, 25, 0)),
     ("America/New_York", (2026, 3, 8, 7), (2026, 11, 1, 5))],
)  # fmt: skip
def test_changes_of_the_clock(zone, forward, back):
    """Berlin skips 2:00-3:00 and repeats it; New York skips 2:00-3:00 and repeats 1:00-2:00."""
    skipped = datetime(*forward, tzinfo=UTC)  # the first minute after the gap
    repeated = datetime(*back, tzinfo=UTC)  # the first of the two hours begins
    hour = repeated.astimezone(ZoneInfo(zone)).hour
    ahead = timedelta(hours=5)

    def times(expression, since):
        found = cron_trigger(expression, zone).upcoming(since - ahead, 300)
        return [t.astimezone(UTC) for t in found if t < since + ahead]

    assert times("30 2 * * *", skipped) == [skipped]  # at once after the gap
    assert times("10,40 2 * * *", skipped) == [skipped]  # once, not twice
    assert times("30 2 * * 0", skipped) == [skipped]
    assert skipped not in times("30 * * * *", skipped)  # a * follows the clock
    assert times("30 * * * *", skipped) == [
        skipped + timedelta(minutes=30 + 60 * k) for k in range(-5, 5)
    ]
    assert times(f"30 {hour} * * *", repeated) == [repeated + timedelta(minutes=30)]
    assert times("30 * * * *", repeated) == [
        repeated + timedelta(minutes=30 + 60 * k) for k in range(-5, 5)
    ]


NAMES = {
    3: ["", *["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]],
    4: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def holds(field, value, position):
    """Whether a field names a value, asked of one value at a time."""
    low, high = BOUNDS[position]
    values = {0, 7} if position == 4 and value in (0, 7) else {value}
    for part in field.split(","):
        span, _, step = part.partition("/")
        names = NAMES.get(position, [])
        ends = [
            names.index(end.lower()) if end.lower() in names else end for end in span.split("-")
        ]
        if span == "*":
            first, last = low, high
        elif len(ends) == 2:
            first, last = int(ends[0]), int(ends[1])
        else:
            first = int(ends[0])
            last = high if step else first
        if any(first <= v <= last and (v - first) % int(step or 1) == 0 for v in values):
            return True
    return False


def matches(fields, local):
    weekday = (local.weekday() + 1) % 7
    minute, hour, day, month, week = (
        holds(field, value, position)
        for position, (field, value) in enumerate(
            zip(fields, (local.minute, local.hour, local.day, local.month, weekday), strict=True)
        )
    )
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return minute and hour and month and (day or week if either else day and week)


def watched(fields, zone, since, minutes):
    """Fire times as cron(8) finds them: it wakes every minute and looks at the local clock."""
    found, furthest = [], None
    fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
    before = (since - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None, fold=0)
    for k in range(minutes):
        instant = since + timedelta(minutes=k)
        local = instant.astimezone(zone).replace(tzinfo=None, fold=0)
        due = matches(fields, local)
        if fixed:
            if furthest is not None and local <= furthest:
                due = False
            skipped = before + timedelta(minutes=1)
            while skipped < local:
                due = due or matches(fields, skipped)
                skipped += timedelta(minutes=1)
            furthest = local if furthest is None else max(furthest, local)
        if due:
            found.append(instant)
        before = local
    return found


@st.composite
def fields(draw, position):
    low, high = BOUNDS[position]
    names = NAMES.get(position, [])

    def spelt(value):
        short = draw(st.booleans()) and value < len(names) and names[value]
        return short.upper() if short and draw(st.booleans()) else short or str(value)

    def part():
        kind = draw(st.sampled_from(["*", "*/", "n", "n", "n-n", "n-n/", "n/"]))
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, high - low + 1))
        return {
            "*": "*", "*/": f"*/{step}", "n": spelt(first), "n-n": f"{spelt(first)}-{spelt(last)}",
            "n-n/": f"{spelt(first)}-{spelt(last)}/{step}", "n/": f"{spelt(first)}/{step}",
        }[kind]  # fmt: skip

    return ",".join(part() for _ in range(draw(st.integers(1, 2))))


@settings(deadline=None, max_examples=40)
@given(
    fields=st.tuples(*(fields(position) for position in range(5))),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    since=st.sampled_from(
        ["2026-03-28T12", "2026-10-24T12", "2026-03-07T23", "2026-10-31T12", "2026-04-03T23"]
    ),
)
def test_times_are_those_of_a_cron_that_looks_every_minute(fields, zone, since):
    """A day and a half around a change of the clock; Lord Howe changes by half an hour."""
    begin = datetime.fromisoformat(since).replace(tzinfo=UTC)
    minutes = 36 * 60
    try:
        trigger = cron_trigger(" ".join(fields), zone)
    except ConfigError as refused:
        assert "no day is like that" in str(refused)  # noqa: PT017 - such as 30 February
        return
    expected = watched(fields, ZoneInfo(zone), begin, minutes)
    found = [t.astimezone(UTC) for t in trigger.upcoming(begin, min(len(expected), 200) + 1)]
    end = begin + timedelta(minutes=minutes)
    assert [t for t in found if t < end][:200] == expected[:200]


def test_a_range_from_sunday_to_sunday_is_sunday():
    assert cron_trigger("0 9 * * 0-sun").weekdays == {0}
    assert cron_trigger("0 9 * * sun-sun").weekdays == {0}
    assert cron_trigger("0 9 * * fri-sun").weekdays == {5, 6, 0}

"""Cron expressions and clocks: refused, or times in order that never lie before now."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from tests.fuzz.outcome import check, command, refusal_or_value

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Pacific/Apia", "", "Nowhere/Town", "../etc/passwd", "UTC+3", "\x00")  # fmt: skip
PARTS = ("*", "0", "59", "60", "24", "7", "8", "1-5", "5-1", "*/15", "*/0", "0-59/7", "1,2,3", ",",
         "mon", "sun-sat", "sat-mon", "jan", "13", "L", "#", "?", "-1", "1e3", "٣", "", "1/2",
         "*/*",         "00", "999999999999999999999", "31", "30", "29", "2", "mon#1", "1-", "-",
         "/", "1--2")  # fmt: skip
NAMED = ("@daily", "@hourly", "@reboot", "@", "@DAILY", "", " ", "\n", "* * * * * *", "* * * *")
CLOCKS = (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
          datetime(2011, 12, 29, 9, 0, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC),
          datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
          datetime(2028, 2, 29, 12, 0, tzinfo=UTC))  # fmt: skip


def attempt(rng: Random, folder: Path) -> None:
    """Read an expression and ask for its next times."""
    from fingru.retrain.crontab import cron_trigger

    expression = " ".join(rng.choice(PARTS) for _ in range(rng.choice((5,) * 12 + (0, 4, 6))))
    easy = " ".join(rng.choice(("*", "0", "30", "2", "1-5", "*/5")) for _ in range(5))
    expression = rng.choice((expression, easy, easy, rng.choice(NAMED)))
    zone = rng.choice(ZONES[:6] * 4 + ZONES)
    if rng.random() < 0.05:
        command("retrain", "--schedule", expression, "--timezone", zone, "--next", 3)
        return
    told = f"cron_trigger({expression!r}, {zone!r})"
    trigger = refusal_or_value(told, lambda: cron_trigger(expression, zone))
    if trigger is None:
        return
    now = rng.choice(CLOCKS)
    first = refusal_or_value(told, lambda: trigger.get_next_fire_time(None, now))
    times = refusal_or_value(told, lambda: trigger.upcoming(now, 4)) or []
    check((first is None) == (not times), f"{told} after {now}: {first} but {times}")
    in_order = [moment.astimezone(UTC) for moment in times]
    check(in_order == sorted(set(in_order)), f"{told} after {now}: {times} are not in order")
    check(all(moment >= now for moment in in_order), f"{told}: {times} before {now}")
    if times:
        later = trigger.get_next_fire_time(times[0], times[0])
        check(later is None or later.astimezone(UTC) > in_order[0], f"{told} fires twice: {later}")
        check(times[0].astimezone(ZoneInfo(zone)) == times[0], f"{told}: another zone")

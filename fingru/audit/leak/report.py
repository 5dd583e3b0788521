"""The certificate: what was compared, after which days, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fingru import __version__
from fingru.audit.leak.comparison import LEAK, ROUNDED, Comparison
from fingru.market.prices import Prices

PASSED, RESERVED, LEAKS = "passed", "passed with reservations", "leak"
"""``status`` of a certificate."""

FILE_READ = "reading the file of the prices"
"""Kind of the leak that no change of prices shows."""
WHAT_IT_READ = "the prices that it is tested on, later ones too"
MEND_OF_READING = "decide from what it is given: the view of a strategy, the bars of a feature"


@dataclass(frozen=True)
class Told:
    """What a certificate says besides what was compared.

    Parameters
    ----------
    cuts
        Days after which the future was changed.
    kinds
        What was done to it.
    reservations
        What the check does not vouch for in this job.
    limits
        What no such check can see.
    """

    cuts: Sequence[str]
    kinds: Sequence[str]
    reservations: Sequence[str]
    limits: str


def certificate(
    compared: Comparison, told: Told, sample: Prices, data_sha256: str
) -> dict[str, Any]:
    """Put the outcome of a leak check into plain values for JSON.

    Parameters
    ----------
    compared
        All comparisons.
    told
        What was changed and when, and what the check does not vouch for.
    sample
        Panel of the short job.
    data_sha256
        Hash of the prices that it is a part of.

    Returns
    -------
    dict
        ``status`` (``passed``, ``passed with reservations`` or ``leak``), ``reservations`` (what
        is not vouched for in this job), ``limits`` (what no such check can see), ``cuts``,
        ``stages`` (names in the order of the pipeline), ``leaks`` (stage, column, first_date,
        cut, kind), ``assets``, ``sessions``; ``verdicts``, one dict per stage (stage, verdict,
        values, largest_rounding); ``kinds``; ``values`` (numbers compared); ``digest`` (SHA-256
        of them, in order); ``data_sha256``; ``fingru_version``.
    """
    order = {stage: number for number, stage in enumerate(compared.stages)}
    leaks = sorted(compared.leaks, key=lambda leak: order[leak.stage])
    return {
        "status": LEAKS if leaks else RESERVED if told.reservations else PASSED,
        "reservations": list(told.reservations),
        "limits": told.limits,
        "cuts": list(told.cuts),
        "stages": list(compared.stages),
        "leaks": [vars(leak) for leak in leaks],
        "assets": list(sample.assets),
        "sessions": sample.n_sessions,
        "kinds": list(told.kinds),
        "verdicts": [{"stage": name, **vars(v)} for name, v in compared.stages.items()],
        "values": sum(verdict.values for verdict in compared.stages.values()),
        "digest": compared.digest,
        "data_sha256": data_sha256,
        "fingru_version": __version__,
    }


def render(found: Mapping[str, Any]) -> tuple[list[tuple[str, str, str, str]], str]:
    """Lay a certificate out for a person.

    Returns
    -------
    rows
        Stage, verdict, numbers compared, and the first thing that differed there (column, date,
        day after which the future was changed, and how), one per stage in the pipeline's order.
    sentence
        The whole in one sentence.
    """
    first: dict[str, str] = {}
    for leak in found["leaks"]:
        how = f"{leak['column']}, first on {leak['first_date']}"
        how = f"{how}; changed after {leak['cut']} by {leak['kind']}"
        first.setdefault(leak["stage"], leak["column"] if leak["kind"] == FILE_READ else how)
    rows = [
        (v["stage"], v["verdict"], f"{v['values']:,}", first.get(v["stage"], ""))
        for v in found["verdicts"]
    ]
    return rows, _sentence(found)


def _sentence(found: Mapping[str, Any]) -> str:
    if found["leaks"]:
        leak = found["leaks"][0]
        if leak["kind"] == FILE_READ:
            return f"leak: {leak['column']}, {WHAT_IT_READ}"
        touched = sum(verdict["verdict"] == LEAK for verdict in found["verdicts"])
        return (
            f"leak: {leak['stage']} ({leak['column']}) saw the future first on "
            f"{leak['first_date']}; {touched} of {len(found['stages'])} stages differ"
        )
    rounded = [verdict["stage"] for verdict in found["verdicts"] if verdict["verdict"] == ROUNDED]
    how = "bitwise equal"
    if rounded:
        how += f" (to rounding where the history ends: {', '.join(rounded)})"
    reservations = found["reservations"]
    but = f"; it does not vouch for this: {'; '.join(reservations)}" if reservations else ""
    return (
        f"no leak: {len(found['stages'])} stages stayed {how} up to {', '.join(found['cuts'])} "
        f"({found['values']:,} values of {len(found['assets'])} assets, "
        f"{found['sessions']} sessions){but}. {found['limits']}."
    )

"""What a leak check cannot vouch for, in words."""

from __future__ import annotations

from fingru.audit.leak.watch import Watch
from fingru.config import Config

LIMITS = (
    "No change of prices shows what was chosen, tuned or fitted on these same prices beforehand "
    "(rules, parameters, numbers written into code), or assets picked because they did well"
)
"""Said with every certificate."""

_UNSEEN = "; nor does this system show files that a compiled reader opens"


def limits(watch: Watch) -> str:
    """What no check of this kind can see, as one sentence without a final stop."""
    return LIMITS if watch.sees_compiled_readers else LIMITS + _UNSEEN


def reservations(watch: Watch, config: Config) -> list[str]:
    """What a passed check does not vouch for in this job, one sentence without stop each."""
    found = watch.reservations()
    if config.simulation.fill == "same_close":
        found.append(
            "simulation.fill is same_close: what is decided from a close is filled at that same "
            "close, which nobody can do"
        )
    return found

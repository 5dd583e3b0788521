"""Perturb the future and compare: whatever was decided before must stay bitwise equal.

A short job (few assets, few sessions, a small model) goes through the whole pipeline twice: once
on the prices as they are, once with everything after a random day changed. Features, labels known
by then, standardisers, trained weights, forecasts, positions and equity up to that day must not
differ in a single bit. A difference is named by stage, column and first date.

A position that earns the return of the bar it was decided on needs no later price for that, so it
is looked for in another way: from a random day on the strategy is made to decide otherwise, and
no return up to the session after that day may change.
"""

from fingru.leakcheck.check import Leak, leak_check, perturb_after

__all__ = ["Leak", "leak_check", "perturb_after"]

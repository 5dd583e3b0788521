"""Perturb the future and compare: whatever was decided before must stay bitwise equal.

A short job (few assets, few sessions, a small model) goes through the whole pipeline on the prices
as they are, and again with everything after a random day changed, or missing. The panel as loaded,
features, labels known by then, training rows, standardisers, chosen steps, trained weights,
forecasts, their calibration, positions and equity up to that day must not differ in a single bit.
A difference is named by stage, column and first date.

A position that earns the return of the bar it was decided on needs no later price for that, so it
is looked for in another way: from a random day on the strategy is made to decide otherwise, and
no return up to the session after that day may change.

What code reads by itself no change of the panel shows. So the user's own code is watched while
it runs: reading the file of the prices is a leak; other files, connections and processes, and
fills at the close of the decision, are named as what the certificate does not vouch for.
"""

from fingru.audit.leak.check import leak_check
from fingru.audit.leak.comparison import Leak
from fingru.audit.leak.perturbations import perturb_after
from fingru.audit.leak.report import render
from fingru.audit.leak.watch import Watch, watched

__all__ = ["Leak", "Watch", "leak_check", "perturb_after", "render", "watched"]

"""The stacked, multi-scale, risk-aware GRU and its training: the only room that imports torch.

Flow: ``sequences`` (ragged histories to windows) -> ``network`` (features to a distribution,
``recurrence`` inside, ``likelihood`` outside) -> ``training`` (all folds and members in one
program) -> ``forecaster`` (walk-forward, ensemble) -> ``checkpoint`` and ``streaming``.

Letters of tensor shapes: S scales, F features per scale, H horizons, M stacked models (folds x
ensemble members), B sequences in a batch, L bars in a sequence, K hidden units, T sessions,
A assets; N rows of any flattened batch.

Importing this package alone loads no torch; its modules do, except ``settings``.
"""

from __future__ import annotations

import os

# Idle OpenMP threads shall sleep, not spin: when the cores are shared, spinning made training
# four to eight times slower, and it gains nothing when they are not. OpenMP reads this once, when
# torch is loaded; what the user has set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

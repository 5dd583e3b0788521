"""Compiled loops for the processor: the stacked GRU, forward and backward, in numba.

A plain torch loop spends its time on thousands of small operations and on writing every
intermediate to memory. Here one tile of 8 or 16 sequences of one model runs its whole time loop
while its hidden state and the weights stay in the first caches, one sequence per vector lane.
The way back computes the gates again from the stored hidden states: that is cheaper than writing
and reading them, because memory, not arithmetic, is what two cores share.

``gru_scan_numba`` takes ready input projections, ``gru_numba`` makes them inside the kernel.
Nothing here loads numba before the first call.
"""

from fingru.kernels.cpu.compiled import available
from fingru.kernels.cpu.scan import GRUWeights, gru_numba, gru_scan_numba, warm_up

__all__ = ["GRUWeights", "available", "gru_numba", "gru_scan_numba", "warm_up"]

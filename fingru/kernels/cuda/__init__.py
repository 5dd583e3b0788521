"""Kernels for CUDA devices: the stacked GRU, forward and backward, in Triton.

The input projections are one batched matrix product. The recurrence is one program per sequence:
its hidden state and the recurrent weights stay in registers while it walks through all bars, with
32 threads up to 32 units, 128 up to 64 and 512 up to 128, so that none has more than 96 weights.
Sequences are not gathered into tiles for ``tl.dot``: in exact float32 that uses no tensor cores,
the default batch of 8 sequences would fill half a tile, and steps that wait for each other gain
nothing from more work in each.

The forward pass stores the gates for the backward one: four numbers per unit and bar, where
computing them anew would need the three projections and one more product in every step.

The gradients of the weights are matrix products of stored gradients and states. Nothing is summed
by atomic additions, so equal inputs give equal bits.

Importing this package does not import triton; ``layer`` does.
"""

from fingru.kernels.cuda.support import obstacle

__all__ = ["obstacle"]

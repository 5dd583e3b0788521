"""Fused recurrences for CPUs (numba, LLVM) and CUDA devices (Triton)."""

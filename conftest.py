"""What pytest leaves out: Triton's kernels where Triton cannot be installed."""

from importlib.util import find_spec

collect_ignore = (
    []
    if find_spec("triton")
    else ["fingru/kernels/cuda", "tests/models/gru/triton_interpreted.py"]
)

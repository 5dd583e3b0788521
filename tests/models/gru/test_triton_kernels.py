"""The Triton kernels where there is no CUDA device: interpreted, compiled, refused, not loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fingru.errors import ConfigError
from fingru.kernels.cuda import support
from fingru.kernels.recurrence import choose_layer, gru_layer

INTERPRETED = Path(__file__).with_name("triton_interpreted.py")
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


@pytest.fixture
def asked_anew():
    support.obstacle.cache_clear()
    yield
    support.obstacle.cache_clear()


@needs_triton
def test_interpreted_kernels_equal_the_reference():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(INTERPRETED)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=INTERPRETED.parents[3],
        capture_output=True,
        text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@needs_triton
@pytest.mark.skipif(sys.platform != "linux", reason="ptxas and cuobjdump are for Linux")
@pytest.mark.parametrize("units", [8, 24, 64])
@pytest.mark.parametrize("capability", [80, 90])
def test_weights_stay_in_registers(capability, units, tmp_path, monkeypatch):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from fingru.kernels.cuda.backward import backward_kernel
    from fingru.kernels.cuda.forward import forward_kernel
    from fingru.kernels.cuda.layer import kernel_size

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    size = kernel_size(units)
    warps = {"num_warps": size.pop("num_warps")}
    reader = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    for kernel, flags in ((forward_kernel, {"MASKED": True, "KEEP": True}), (backward_kernel, {})):
        constants = size | flags
        kinds = {"mask": "*i1", "n_sequences": "i32", "n_bars": "i32"}
        signature = {
            name: "constexpr" if name in constants else kinds.get(name, "*fp32")
            for name in kernel.arg_names
        }
        source = ASTSource(kernel, signature, constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=warps)
        binary = tmp_path / "kernel.cubin"
        binary.write_bytes(compiled.asm["cubin"])
        usage = subprocess.run(
            [reader, "-res-usage", binary], capture_output=True, check=True, timeout=300
        )
        registers, stack = re.search(rb"REG:(\d+) STACK:(\d+)", usage.stdout).groups()
        assert int(registers) < 255
        assert int(stack) == 0  # nothing spilled


@needs_triton
def test_tensors_on_the_cpu_are_refused(asked_anew):
    with pytest.raises(ConfigError, match=r"model\.backend is 'triton'.* tensors are on cpu"):
        choose_layer("triton", torch.zeros(1), 8)


def test_missing_triton_is_named_and_auto_does_without(asked_anew, monkeypatch):
    monkeypatch.setattr(support, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="triton is not installed"):
        choose_layer("triton", torch.zeros(1), 8)
    on_cuda = SimpleNamespace(device=torch.device("cuda", 0), dtype=torch.float32)
    assert choose_layer("auto", on_cuda, 8) is gru_layer


@needs_triton
def test_auto_on_cuda_takes_the_kernel_where_a_trial_succeeds(asked_anew, monkeypatch):
    from fingru.kernels.cuda.layer import gru_triton

    on_cuda = SimpleNamespace(device=torch.device("cuda", 0), dtype=torch.float32)
    monkeypatch.setattr(support, "_failure", lambda _device: None)
    assert choose_layer("auto", on_cuda, 8) is gru_triton
    assert choose_layer("auto", on_cuda, 129) is gru_layer


@needs_triton
def test_a_device_on_which_the_trial_fails_is_named(asked_anew, monkeypatch):
    def no_compiler(*_):
        raise RuntimeError("Failed to find C compiler.\nSpecify one.")

    monkeypatch.setattr("fingru.kernels.cuda.layer.gru_triton", no_compiler)
    failure = support._failure.__wrapped__(torch.device("cpu"))
    assert failure == "they fail on cpu (Failed to find C compiler.)"


def test_training_on_the_cpu_does_not_import_the_kernels():
    code = (
        "import sys, torch, fingru\n"
        "from fingru.kernels.recurrence import choose_layer\n"
        "choose_layer('auto', torch.zeros(1), 8)\n"
        "assert not any(name.startswith('fingru.models.gru.triton') for name in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0

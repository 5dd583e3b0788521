"""The samples load, carry their caveats, and are what their makers say."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fingru.bundled import bundled_path
from fingru.errors import DataError
from fingru.market import load_prices

ROOT = Path(__file__).parents[2]


def test_us_stocks_covers_the_stated_sessions_and_warns_of_survivors():
    prices = load_prices("sample:us_stocks")
    assert prices.close.shape == (8313, 20)
    assert [str(d.date()) for d in prices.index[[0, -1]]] == ["1990-01-02", "2022-12-28"]
    assert prices.bars_per_year == 252
    assert prices.has_bar.all()
    assert "survivor" in prices.notes[0]
    assert prices.open is None
    assert prices.volume is None


def test_us_stocks_file_has_the_documented_hashes():
    packed = bundled_path("data/us_stocks.csv.gz").read_bytes()
    text = (ROOT / "data" / "README.md").read_text()
    hashes = re.findall(r"\b[0-9a-f]{64}\b", text)
    assert hashes == [hashlib.sha256(b).hexdigest() for b in (packed, gzip.decompress(packed))]
    assert len(packed) < 600_000


def test_us_stocks_equal_their_source():
    datasets = pytest.importorskip("skfolio.datasets", reason="skfolio makes the sample")
    source = datasets.load_sp500_dataset()
    prices = load_prices("sample:us_stocks")
    assert list(prices.assets) == list(source.columns)
    assert (prices.index == source.index).all()
    np.testing.assert_allclose(prices.close, source.to_numpy(), rtol=0, atol=1e-9)


@pytest.mark.slow
def test_make_script_verifies_the_committed_file():
    pytest.importorskip("skfolio", reason="skfolio makes the sample")
    script = ROOT / "data" / "make_us_stocks.py"
    done = subprocess.run(
        [sys.executable, str(script), "--verify"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "same prices")


def test_indices_equal_the_loader_of_arch():
    import arch.data.sp500

    source = arch.data.sp500.load()
    prices = load_prices("sample:indices")
    assert prices.assets == ("SP500", "NASDAQ")
    assert (prices.index == source.index).all()
    for field, column in [("open", "Open"), ("high", "High"), ("low", "Low"),
                          ("close", "Adj Close"), ("volume", "Volume")]:  # fmt: skip
        np.testing.assert_array_equal(getattr(prices, field)[:, 0], source[column])


def test_indices_need_no_import_of_arch():
    code = (
        "import sys; from fingru.market import load_prices; load_prices('sample:indices');"
        "print([m for m in ('arch', 'torch', 'streamlit', 'plotly', 'scipy', 'yfinance')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "[]"


def test_simulated_options_are_taken():
    prices = load_prices("sample:simulated?assets=3&sessions=50&signal=0.1&seed=3")
    other = load_prices("sample:simulated?assets=3&sessions=50&signal=0.1&seed=4")
    assert prices.close.shape == (50, 3)
    assert not np.array_equal(prices.close, other.close)
    assert load_prices("sample:simulated?assets=3", assets=["SIM2"]).assets == ("SIM2",)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("sample:nothing", "no sample 'nothing': choose from us_stocks, indices, simulated"),
        ("sample:us_stocks?seed=1", "no sample"),
        ("sample:simulated?colour=red", "no option 'colour': choose from seed, assets"),
        ("sample:simulated?assets=many", "assets: Input should be a valid integer"),
        ("sample:simulated?seed=x", "seed 'x' is not a whole number"),
        ("sample:simulated?beta=0.99&alpha=0.1", "alpha \\+ gamma / 2 \\+ beta must be below 1"),
        ("", "no data source was given"),
    ],
)
def test_unknown_sample_or_option_refused(source, said):
    with pytest.raises(DataError, match=said):
        load_prices(source)

"""Leaks of code of one's own: what it reads itself, and what it digs out of memory."""

from __future__ import annotations

import json

import pytest

from fingru.audit.leak import leak_check
from fingru.config import to_toml, with_values
from tests.causality.test_planted_leaks import QUICK, run_command

FROM_FILE = """
import numpy as np
import pandas as pd

TABLE = pd.read_csv({path!r}, index_col=0, parse_dates=True)


class Peeks:
    def target_weights(self, view):
        row = TABLE.index.get_loc(view.date)
        return np.nan_to_num(np.sign(TABLE.iloc[row + 1] - TABLE.iloc[row]).to_numpy()) / 2
"""

FROM_MEMORY = {
    "the prices of a caller": """
        import sys
        frame = sys._getframe()
        while "prices" not in frame.f_locals:
            frame = frame.f_back
        later = frame.f_locals["prices"].close[-1]
        return np.where(view.tradable, np.nan_to_num(later) % 1 / 4, 0.0)
""",
    "what an earlier run left in another module": """
        import sys
        kept = vars(sys).setdefault("_closes_of_a_test", {})
        kept[view.date] = np.nan_to_num(view.close[-1]).sum()
        later = kept.get(max(kept), 0.0) if view.date < max(kept) else 0.0
        return np.where(view.tradable, later % 1 / 4, 0.0)
""",
}


@pytest.fixture
def written(tmp_path, monkeypatch, prices, config):
    """A folder with the prices as CSV, a strategy that reads them, and small settings."""
    monkeypatch.chdir(tmp_path)
    import pandas as pd

    closes = pd.DataFrame(prices.close, prices.index, prices.assets)
    closes.to_csv("p.csv", index_label="date")
    (tmp_path / "peeks.py").write_text(FROM_FILE.format(path=str(tmp_path / "p.csv")))
    values = QUICK | {"data.source": "p.csv", "strategy.name": "peeks.py",
                      "features.columns": ["log_return"]}  # fmt: skip
    (tmp_path / "small.toml").write_text(to_toml(with_values(config, values)))
    return tmp_path


def test_the_backtest_of_a_strategy_that_reads_the_prices_is_refused_and_stores_nothing(written):
    code, out, err = run_command("backtest", "--config", "small.toml")
    assert (code, out) == (3, "")
    assert "peeks.py, line 5, reads" in err
    assert "p.csv" in err
    assert "Traceback" not in err
    assert not (written / "data").exists()


@pytest.mark.slow
def test_the_leak_check_names_the_file_that_the_strategy_reads(written):
    code, out, err = run_command("leakcheck", "--config", "small.toml", "--cuts", "1", "--json")
    found = json.loads(out)
    assert code == 3
    assert found["status"] == "leak"
    assert any(leak["stage"] == "files" for leak in found["leaks"])
    assert "peeks.py, line 5, reads" in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("way", FROM_MEMORY)
def test_a_strategy_that_digs_prices_out_of_memory_changes_its_positions(
    prices, config, tmp_path, monkeypatch, way
):
    import sys

    monkeypatch.setattr(sys, "_closes_of_a_test", {}, raising=False)
    body = "import numpy as np\n\n\nclass Digs:\n    def target_weights(self, view):"
    (tmp_path / "digs.py").write_text(body + FROM_MEMORY[way])
    own = {**QUICK, "strategy.name": str(tmp_path / "digs.py")}
    found = leak_check(prices, with_values(config, own))
    assert found["status"] == "leak"
    assert "positions of digs" in {leak["stage"] for leak in found["leaks"]}


@pytest.mark.slow
def test_fills_at_the_close_of_the_decision_are_reserved(prices, config):
    told = {**QUICK, "simulation.fill": "same_close"}
    check = leak_check(prices, with_values(config, told))
    assert check["status"] == "passed with reservations"
    assert ["same_close" in reserved for reserved in check["reservations"]] == [True]

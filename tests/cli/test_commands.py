"""How the command line as a whole behaves: help, version, quiet, imports, data check."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from fingru.cli.app import app

FAST = ["--set", "leak_check.in_backtest=false", "--set", "baselines.names=['ewma']"]


def commands(group=None, path=()):
    """Every command with its path."""
    found = typer.main.get_command(app) if group is None else group
    if hasattr(found, "commands"):
        for name, inner in found.commands.items():
            yield from commands(inner, (*path, name))
    else:
        yield path, found


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_option_is_explained(fingru, path):
    command = ALL[path]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{parameter.name} has no help"
    answer = fingru(*path, "--help")
    assert answer.code == 0
    assert "Usage" in answer.out


def test_the_promised_commands_are_there():
    assert set(ALL) >= {
        ("backtest",), ("report",), ("tune",), ("train",), ("predict",), ("retrain",),
        ("leakcheck",), ("dashboard",), ("data", "check"), ("runs", "list"), ("runs", "show"),
        ("runs", "compare"), ("runs", "verify"), ("runs", "delete"), ("models", "list"),
        ("models", "show"), ("models", "promote"), ("models", "rollback"),
    }  # fmt: skip


def test_version(fingru):
    from fingru import __version__

    assert fingru("--version").out == f"fingru {__version__}\n"


def test_help_loads_nothing_heavy(environment, tmp_path):
    code = (
        "import sys, fingru\n"
        "sys.argv = ['fingru', 'backtest', '--help']\n"
        "try:\n    from fingru.cli import main; main()\n"
        "except SystemExit as ended:\n    assert ended.code == 0\n"
        "heavy = {'torch', 'streamlit', 'plotly', 'numba', 'scipy', 'arch', 'pandas',"
        " 'sqlalchemy', 'optuna', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stderr == "[]\n"
    assert "--resume" in done.stdout


def test_import_and_configuration_load_no_torch(environment, tmp_path):
    code = (
        "import sys, fingru\n"
        "from fingru import Config, load_prices\n"
        "assert not {'torch', 'streamlit', 'plotly', 'numba', 'scipy', 'arch'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, timeout=300
    )
    assert done.returncode == 0


def test_tables_go_to_stdout_and_progress_to_stderr(fingru, small):
    answer = fingru("backtest", "--config", small, *FAST)
    assert answer.code == 0
    for part in ("Sharpe", "Buy and hold", "Log score", "EWMA", "Leak check"):
        assert part in answer.out
    for part in ("train ...", "train: done", "note: simulated", "is stored in", "report: "):
        assert part in answer.err
    assert "\x1b" not in answer.out + answer.err


def test_quiet_leaves_stderr_empty(fingru, small):
    answer = fingru("backtest", "--config", small, *FAST, "--quiet", "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.document["manifest"]["status"] == "done"


def test_flags_win_over_the_file(fingru, small, tmp_path):
    answer = fingru(
        "backtest", "--config", small, *FAST, "--quiet", "--json", "--seed", "7", "--assets",
        "SIM2", "--start", "2000-02-01", "--end", "2002-06-28", "--horizons", "2", "--cost-bps",
        "12.5", "--strategy", "vol_target", "--refit", "month", "--members", "1",
        "--first-refit", "2002-02-01", "--device", "cpu", "--runs", tmp_path / "here",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    manifest = answer.document["manifest"]
    assert manifest["data"]["assets"] == ["SIM2"]
    assert manifest["data"]["first"] == "2000-02-01"
    assert manifest["data"]["last"] == "2002-06-28"
    config = manifest["config"]
    assert (config["seed"], config["horizons"]) == (7, [2])
    assert config["simulation"]["cost_bps"] == 12.5
    assert (manifest["strategy"], config["walk_forward"]["refit"]) == ("vol_target", "month")
    assert manifest["folds"][0]["origin"] == "2002-01-31"
    assert [run.name for run in (tmp_path / "here").iterdir() if run.is_dir()]


@pytest.mark.parametrize(
    ("spoil", "code", "verdict"),
    [(None, 0, "usable"), ("unsorted", 1, "warnings"), ("negative", 2, "refused")],
)
def test_data_check_answers_with_its_exit_code(fingru, tmp_path, rows, spoil, code, verdict):
    table = rows(300)
    if spoil == "unsorted":
        table[10], table[20] = table[20], table[10]
    if spoil == "negative":
        table[5][4] = "-1"
    lines = ["Date,Open,High,Low,Close,Volume", *(",".join(row) for row in table)]
    (tmp_path / "prices.csv").write_text("\n".join(lines) + "\n")
    answer = fingru("data", "check", "prices.csv")
    assert answer.code == code
    assert "Traceback" not in answer.err
    assert verdict in answer.out
    document = fingru("data", "check", "prices.csv", "--json").document
    assert document["findings"] or code == 0


def write_layout(folder, layout, rows):
    """The three layouts that users bring."""
    if layout == "one asset":
        lines = ["Date,Open,High,Low,Close,Volume", *(",".join(row) for row in rows)]
    elif layout == "long":
        lines = ["date,symbol,close,volume"]
        lines += [f"{row[0]},{name},{row[4]},{row[5]}" for name in "AB" for row in rows]
    else:
        lines = ["Date,A,B"]
        lines += [
            f"{row[0]},{row[4]},{other[4]}" for row, other in zip(rows, rows[::-1], strict=True)
        ]
    (folder / "prices.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("layout", "assets"), [("one asset", ["prices"]), ("long", ["A", "B"]), ("wide", ["A", "B"])]
)
def test_a_users_file_goes_through(fingru, small, tmp_path, rows, layout, assets):
    write_layout(tmp_path, layout, rows(500))
    answer = fingru(
        "backtest", "--config", small, *FAST, "--data", "prices.csv", "--first-refit",
        "2016-06-01", "--json", "--horizons", "1",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.document["manifest"]["data"]["assets"] == assets
    assert answer.document["strategies"]["risk_aware"]["periods"] == 131
    assert answer.document["forecasts"]["gru"]["1"]["pooled"]["n"] > 100


def test_a_strategy_of_ones_own_runs_beside_the_benchmarks(fingru, small, tmp_path):
    (tmp_path / "half.py").write_text(
        '"""Half in the first asset."""\n\n\nclass Half:\n'
        "    def target_weights(self, view):\n        return {view.assets[0]: 0.5}\n"
    )
    answer = fingru("backtest", "--config", small, *FAST, "--strategy", "half.py", "--json")
    assert answer.code == 0, answer.err
    assert set(answer.document["strategies"]) == {
        "half", "buy_and_hold", "equal_weight", "ewma_vol_target",
    }  # fmt: skip
    assert answer.document["manifest"]["strategy"] == "half"


NULL = ["--set", "null_test.sessions=500", "--set", "null_test.assets=1", "--surrogates", "19"]


def test_nulltest_prints_one_document(fingru, small):
    answer = fingru("nulltest", "--config", small, *NULL, "--json")
    assert answer.code == 0, answer.err
    found = answer.document
    assert 1 / 20 <= found["p_value"] <= 1
    assert set(found["statistics"]) == {"sharpe", "sharpe_over_equal_weight", "ic"}
    assert found["surrogates"] == 19
    assert found["kind"] == "residuals"


def test_nulltest_shows_a_table_and_a_sentence(fingru, small):
    answer = fingru("nulltest", "--config", small, *NULL, "--kind", "blocks")
    assert answer.code == 0, answer.err
    assert "Sharpe ratio over equal weight" in answer.out
    assert "19 markets in which nothing can be forecast" in answer.out


def test_nulltest_refuses_what_it_cannot_do(fingru, small):
    few = fingru("nulltest", "--config", small, "--surrogates", "5")
    assert few.code == 2
    assert "null_test.surrogates" in few.err
    short = fingru("nulltest", "--config", small, "--end", "2000-06-01")
    assert short.code == 2
    assert "too few" in short.err

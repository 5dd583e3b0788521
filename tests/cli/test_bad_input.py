"""Everything a user may get wrong: exit 2, one message that names the thing and the mend.

Never a traceback, nothing on stdout, and nothing half-written.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

HEADER = "Date,Open,High,Low,Close,Volume"


def csv(rows, header=HEADER):
    return "\n".join([header, *(",".join(row) for row in rows)]) + "\n"


def changed(rows, line, column, text):
    """Replace one cell; lines as an editor counts them, the header being line 1."""
    rows = [list(row) for row in rows]
    rows[line - 2][HEADER.split(",").index(column)] = text
    return rows


def long_rows(rows, **assets):
    """The same dates for several symbols, with a change of each one's closes."""
    return [[row[0], name, change(row[4])] for name, change in assets.items() for row in rows]


BAD_FILES = {
    "empty file": (lambda _rows: "", ["prices.csv", "empty"]),
    "no date column": (
        lambda rows: csv([row[1:] for row in rows], "Open,High,Low,Close,Volume"),
        ["prices.csv", "no date column"],
    ),
    "no price column": (
        lambda rows: csv([[row[0], row[5]] for row in rows], "Date,Volume"),
        ["prices.csv", "no price column"],
    ),
    "unparsable date": (
        lambda rows: csv(changed(rows, 7, "Date", "last tuesday")), ["line 7", "'last tuesday'"]),
    "duplicate date": (
        lambda rows: csv([*rows, rows[4]]), ["line 402", "line 6", "keep one row"]),
    "mixed time zones": (
        lambda rows: csv(changed(rows, 9, "Date", rows[7][0] + "T00:00:00+09:00")),
        ["line 9", "time zone"],
    ),
    "zero price": (lambda rows: csv(changed(rows, 5, "Close", "0")), ["line 5", "Close", "0"]),
    "negative price": (
        lambda rows: csv(changed(rows, 5, "Low", "-3.5")), ["line 5", "Low", "-3.5"]),
    "infinite price": (
        lambda rows: csv(changed(rows, 5, "Close", "inf")), ["line 5", "Close", "finite"]),
    "high below low": (
        lambda rows: csv(changed(rows, 6, "High", "1.0")), ["line 6", "high 1 is below low"]),
    "text in a number": (
        lambda rows: csv(changed(rows, 8, "Close", "halted")), ["line 8", "Close", "'halted'"]),
    "forty rows of one asset": (lambda rows: csv(rows[:40]), ["40 sessions are too few"]),
    "asset without prices": (
        lambda rows: csv(
            long_rows(rows, GOOD=str, NONE=lambda _close: ""), "date,symbol,close"),
        ["no price at all for NONE"],
    ),
    "constant price": (
        lambda rows: csv(
            long_rows(rows, GOOD=str, FLAT=lambda _close: "5.0"), "date,symbol,close"),
        ["FLAT", "never changes"],
    ),
}  # fmt: skip


def assert_refused(answer, *parts, code=2):
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    messages = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(messages) == 1
    for part in parts:
        assert part in messages[0]
    assert ": " in messages[0].removeprefix("error: ")  # a problem and a mend


@pytest.mark.parametrize(("content", "parts"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_is_refused_before_anything_is_written(fingru, tmp_path, rows, content, parts):
    (tmp_path / "prices.csv").write_text(content(rows()))
    answer = fingru("backtest", "--data", "prices.csv", "--set", "walk_forward.min_train_bars=100")
    assert_refused(answer, *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["prices.csv"]


@pytest.mark.parametrize(("content", "parts"), BAD_FILES.values(), ids=BAD_FILES)
def test_data_check_refuses_the_same_files(fingru, tmp_path, rows, content, parts):
    (tmp_path / "prices.csv").write_text(content(rows()))
    answer = fingru("data", "check", "prices.csv", "--json")
    if "too few" in parts[0]:  # whether history is enough is for the job to say
        assert answer.code in {0, 1}
        return
    assert answer.code == 2
    first = answer.document["findings"][0]
    assert first["severity"] == "refused"
    for part in parts:
        assert part in f"{first['problem']}: {first['mend']}"


BAD_COMMANDS = {
    "missing file": (["--data", "nowhere.csv"], ["nowhere.csv"]),
    "unknown sample": (["--data", "sample:us_stonks"], ["us_stonks", "us_stocks"]),
    "unknown asset": (["--assets", "SIM1,SIMX"], ["'SIMX'", "SIM1"]),
    "empty asset": (["--assets", "SIM1,,SIM2"], ["empty part", "A,B"]),
    "unknown key": (["--set", "model.hiden=8"], ["'model.hiden'", "mean 'model.hidden_size'?"]),
    "unknown top key": (["--set", "sede=8"], ["'sede'", "did you mean 'seed'?"]),
    "wrong type": (["--set", "training.steps=many"], ["'training.steps'", "'many'", "integer"]),
    "out of bounds": (["--set", "model.members=0"], ["'model.members'", "0"]),
    "no value": (["--set", "seed"], ["'seed'", "--set section.key=value"]),
    "start after end": (
        ["--start", "2002-01-01", "--end", "2001-01-01"], ["2002-01-01", "after", "2001-01-01"]),
    "no date": (["--start", "2002-13-01"], ["'data.start'", "'2002-13-01'"]),
    "empty range": (["--start", "2030-01-01"], ["no session", "2000-01-03"]),
    "early first refit": (
        ["--first-refit", "2000-02-01"], ["first refit before enough data", "min_train_bars"]),
    "late first refit": (["--first-refit", "2030-01-01"], ["nothing to forecast"]),
    "bad refit": (["--refit", "weekly"], ["'walk_forward.refit'", "'weekly'", "quarter"]),
    "bad horizons": (["--horizons", "1;5"], ["--horizons", "'1;5'", "1,5,21"]),
    "descending horizons": (["--horizons", "5,1"], ["horizons", "ascending"]),
    "unknown strategy": (["--strategy", "vol_tarket"], ["'vol_tarket'", "'vol_target'"]),
    "missing strategy": (["--strategy", "mine.py"], ["mine.py", "does not exist"]),
    "unknown run": (["--resume", "20990101"], ["'20990101'", "no run"]),
    "missing config": (["--config", "none.toml"], ["none.toml", "does not exist"]),
    "bad device": (["--device", "tpu"], ["'device'", "'tpu'"]),
    "unknown baseline": (["--set", "baselines.names=['arima']"], ["'arima'", "ewma"]),
    "unknown column": (["--set", "features.columns=['rsy']"], ["'rsy'", "rsi"]),
    "forecast not made": (["--set", "strategy.forecast=har"], ["'har'", "gru"]),
    "strategy parameter": (["--set", "strategy.parameters.volatilty=1"], ["'volatilty'"]),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "parts"), BAD_COMMANDS.values(), ids=BAD_COMMANDS)
def test_bad_command_is_refused(fingru, small, tmp_path, arguments, parts):
    given = ["--config", small] if "--resume" not in arguments else []
    if "--config" in arguments:
        given = []
    assert_refused(fingru("backtest", *given, *arguments), *parts)
    assert list(tmp_path.iterdir()) == []


BAD_TOML = {
    "broken": ("[model\nhidden = 8", ["mine.toml", "TOML", "line 1"]),
    "no text": ("\x00\xff", ["mine.toml"]),
    "value for section": ("model = 3", ["'model'", "3"]),
    "section for value": ("[seed]\nx = 1", ["'seed'"]),
    "unknown section": ("[modle]\nhidden = 8", ["'modle'", "did you mean 'model'?"]),
    "string for number": (
        '[simulation]\ncost_bps = "cheap"',
        ["'simulation.cost_bps'", "'cheap'"],
    ),
}


@pytest.mark.parametrize(("text", "parts"), BAD_TOML.values(), ids=BAD_TOML)
def test_bad_configuration_file_is_refused(fingru, tmp_path, text, parts):
    (tmp_path / "mine.toml").write_bytes(text.encode("latin-1"))
    assert_refused(fingru("backtest", "--config", "mine.toml"), *parts)


BAD_STRATEGIES = {
    "import fails": ("import no_such_module\n", ["mine.py", "no_such_module", "line 1"]),
    "no Python": ("class Mine(:\n", ["mine.py", "not valid Python", "line 1"]),
    "no class": ("weights = [1, 2]\n", ["mine.py", "target_weights"]),
    "NaN": ("return np.full(len(view.assets), np.nan)", ["mine", "nan", "SIM1"]),
    "wrong shape": ("return np.ones(7) / 7", ["mine", "(7,)", "(2,)"]),
    "wrong type": ("return 'all in'", ["mine", "str"]),
    "unknown asset": ("return {'AAPL': 1.0}", ["mine", "'AAPL'", "SIM1"]),
    "too much leverage": ("return np.full(len(view.assets), 50.0)", ["mine", "100", "3"]),
    "raises": ("return 1 / 0", ["mine", "ZeroDivisionError", "mine.py, line 4"]),
    "looks ahead": ("return view.close[len(view.close)]", ["mine", "IndexError"]),
    "writes": ("view.close[0] = 1.0", ["mine", "read-only"]),
}
CLASS = "import numpy as np\nclass Mine:\n    def target_weights(self, view):\n        {}\n"


@pytest.mark.parametrize(("body", "parts"), BAD_STRATEGIES.values(), ids=BAD_STRATEGIES)
def test_bad_strategy_is_refused_before_training(fingru, small, tmp_path, body, parts):
    is_body = body.startswith(("return", "view"))
    (tmp_path / "mine.py").write_text(CLASS.format(body) if is_body else body)
    answer = fingru("backtest", "--config", small, "--strategy", "mine.py")
    assert_refused(answer, *parts)
    assert "train" not in answer.err
    assert not (tmp_path / "data").exists()


def test_a_file_in_place_of_the_runs_folder_is_refused(fingru, small, tmp_path):
    (tmp_path / "runs").write_text("not a folder")
    answer = fingru("backtest", "--config", small, "--runs", "runs")
    assert_refused(answer, "runs", "another folder with --runs")
    assert "train" not in answer.err


def test_a_folder_without_permission_is_refused(fingru, small, tmp_path, monkeypatch):
    def refuse(self, *_arguments, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert_refused(fingru("backtest", "--config", small), "data/runs", "permissions")


def test_a_database_that_is_none_is_refused_before_training(fingru, small, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "fingru.sqlite").write_text("my shopping list " * 100)
    answer = fingru("backtest", "--config", small, "--runs", "runs")
    assert_refused(answer, "fingru.sqlite", "damaged", "fingru store rebuild")
    assert "train" not in answer.err


def test_a_full_disk_leaves_a_run_that_says_so_and_can_be_resumed(
    fingru, small, tmp_path, monkeypatch
):
    from fingru import atomic

    write = atomic._write_and_flush

    def full(path, content):
        if "equity.parquet" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    fast = ["--set", "leak_check.in_backtest=false", "--set", "baselines.names=['ewma']"]
    with monkeypatch.context() as patched:
        patched.setattr(atomic, "_write_and_flush", full)
        answer = fingru("backtest", "--config", small, *fast)
    assert_refused(answer, "equity.parquet", "the disk is full")
    (run,) = fingru("runs", "list", "--json").document["runs"]
    assert run["status"] == "failed"
    assert not list((tmp_path / "data" / "runs" / run["id"]).rglob("*.tmp"))
    assert_refused(fingru("runs", "show", run["id"]), "failed", f"--resume {run['id']}")
    resumed = fingru("backtest", "--resume", run["id"], "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.document["manifest"]["status"] == "done"


def test_a_disk_too_full_even_for_the_mark_tells_the_first_error(
    fingru, small, tmp_path, monkeypatch
):
    from fingru import atomic

    write = atomic._write_and_flush

    def full(path, content):
        if list(path.parent.glob("forecasts.parquet")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    fast = ["--set", "leak_check.in_backtest=false", "--set", "baselines.names=['ewma']"]
    with monkeypatch.context() as patched:
        patched.setattr(atomic, "_write_and_flush", full)
        answer = fingru("backtest", "--config", small, *fast)
    assert_refused(answer, "weights.parquet", "the disk is full")


def test_unsorted_dates_are_sorted_and_told(fingru, tmp_path, rows):
    shuffled = rows()
    shuffled[3], shuffled[90] = shuffled[90], shuffled[3]
    (tmp_path / "prices.csv").write_text(csv(shuffled))
    answer = fingru("data", "check", "prices.csv")
    assert answer.code == 1
    assert "sorted" in answer.out


OTHERS = {
    "show": ["runs", "show", "x"],
    "verify": ["runs", "verify", "x"],
    "delete": ["runs", "delete", "x"],
    "compare": ["runs", "compare", "x", "y"],
    "compare one": ["runs", "compare", "x"],
    "report": ["report", "x"],
    "predict": ["predict"],
    "models show": ["models", "show", "x"],
    "models promote": ["models", "promote", "x"],
    "models rollback": ["models", "rollback"],
    "retrain": ["retrain"],
    "retrain both": ["retrain", "--once", "--schedule", "0 6 * * *"],
    "schedule": ["retrain", "--schedule", "every monday"],
    "schedule zone": ["retrain", "--schedule", "0 6 * * *", "--time-zone", "Mars/Olympus"],
    "tune key": ["tune", "--search", "model.colour"],
    "holdings": ["predict", "--holdings", "AAPL"],
    "dashboard": ["dashboard", "--runs", "nowhere"],
}


@pytest.mark.parametrize("arguments", OTHERS.values(), ids=OTHERS)
def test_other_commands_refuse_what_is_not_there_and_write_nothing(fingru, tmp_path, arguments):
    assert_refused(fingru(*arguments))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["backtets"], ["backtest", "--sede", "1"], ["backtest", "x"]]
)
def test_usage_errors_exit_with_2(fingru, arguments):
    answer = fingru(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backtest", "--data", "nowhere.csv"], "nowhere.csv"),
        (["backtest", "--set", "model.hiden=3"], "model.hidden_size"),
    ],
)
def test_the_installed_command_behaves_the_same(tmp_path, environment, arguments, said):
    command = [sys.executable, "-m", "fingru", *arguments]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_is_reported_with_its_traceback_in_a_file(fingru, monkeypatch):
    def broken(*_arguments, **_options):
        raise RuntimeError("unforeseen")

    monkeypatch.delenv("FINGRU_TRACEBACK")
    monkeypatch.setattr("fingru.store.listing.list_runs", broken)
    answer = fingru("runs", "list")
    assert answer.code == 70
    assert "Traceback" not in answer.err
    assert "RuntimeError: unforeseen" in answer.err
    file = answer.err.strip().rpartition(" ")[2]
    with open(file) as written:  # noqa: PTH123 - the path a user would copy
        assert "RuntimeError: unforeseen" in written.read()
    os.unlink(file)  # noqa: PTH108

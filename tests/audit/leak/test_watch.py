"""What code of one's own reads by itself: each planted read is found, and honest code is not."""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fingru.audit.leak.source_files import source_files
from fingru.audit.leak.vouching import LIMITS, limits, reservations
from fingru.audit.leak.watch import watched
from fingru.config import Config, with_values
from fingru.errors import LeakFoundError
from fingru.features.definition import load_feature
from fingru.market import load_prices
from fingru.market.sources.csv_file import read_csv
from fingru.strategy import load_strategy

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STRATEGY = """\
import numpy as np
{above}

class Planted:
    def target_weights(self, view):
        {body}
        return np.zeros(len(view.assets))
"""

READS = {
    "open": ("", "open({path!r}).read()"),
    "os.open": ("import os", "os.close(os.open({path!r}, os.O_RDONLY))"),
    "pathlib": ("from pathlib import Path", "Path({path!r}).read_bytes()"),
    "pandas": ("import pandas as pd", "pd.read_csv({path!r})"),
    "numpy": ("", "np.genfromtxt({path!r}, delimiter=',', skip_header=1)"),
    "numpy bytes": ("", "np.fromfile({path!r}, dtype='u1')"),
    "memory map": ("", "np.memmap({path!r}, dtype='u1', mode='r')"),
    "csv": ("import csv", "list(csv.reader(open({path!r})))"),
    "at import": ("import pandas as pd\nFITTED = pd.read_csv({path!r})", "pass"),
    "in the class": ("", "pass\n    rows = open({path!r}).readlines()\n    def other(self):"),
    "the loader": ("from fingru import load_prices", "load_prices({path!r})"),
    "in a thread": (
        "import threading\ndef read():\n    open({path!r}).read()",
        "t = threading.Thread(target=read); t.start(); t.join()",
    ),
    "swallowed": ("", "\n        try:\n            open({path!r}).read(-2, 3)\n"
                      "        except Exception:\n            pass"),
    "through exec": ("", "exec(compile('open(p).read()', '<x>', 'exec'), dict(p={path!r}))"),
}  # fmt: skip


@pytest.fixture
def source(tmp_path):
    """A file of closes."""
    table = pd.DataFrame(
        {"A": 50.0 + np.sin(np.arange(8.0))}, index=pd.bdate_range("2020-01-01", periods=8)
    )
    table.to_csv(tmp_path / "prices.csv", index_label="date")
    table.to_parquet(tmp_path / "prices.parquet")
    return tmp_path / "prices.csv"


@pytest.fixture
def watch_of(tmp_path):
    """Load a strategy of the given text, ask it three times, and return what was seen."""

    def watch(source, above, body, rounds=1):
        file = tmp_path / "my.py"
        file.write_text(STRATEGY.format(above=above, body=body))
        config = with_values(Config(), {"strategy.name": str(file)})
        with watched(str(source), config) as seen:
            for _ in range(rounds):
                with seen:
                    _, strategy = load_strategy(str(file))
                    for _ in range(3):
                        strategy.target_weights(SimpleNamespace(assets=("A",)))
                seen.end_round()
            return seen, seen.reads_of_source(), reservations(seen, config)

    return watch


@pytest.mark.parametrize("way", READS)
def test_a_strategy_that_reads_the_file_of_the_prices_is_found(source, watch_of, way):
    above, body = (text.format(path=str(source)) for text in READS[way])
    seen, found, reserved = watch_of(source, above, body)
    assert found[0].where.startswith("my.py, line ")
    assert reserved == []
    with pytest.raises(LeakFoundError, match=r"my\.py, line \d+, reads .*prices\.csv"):
        seen.refuse()


def test_the_line_that_reads_is_told(source, watch_of):
    _, (access,), _ = watch_of(source, "# two\n# more lines", f"open({str(source)!r})")
    assert access.where == "my.py, line 7,"


@pytest.mark.parametrize("name", ["link", "hard link", "relative", "copy"])
def test_other_names_of_the_file_do_not_hide_it(source, watch_of, tmp_path, monkeypatch, name):
    other = tmp_path / "side.csv"
    if name == "link":
        other.symlink_to(source)
    elif name == "hard link":
        other.hardlink_to(source)
    elif name == "copy":
        shutil.copy(source, other)
    else:
        monkeypatch.chdir(tmp_path)
        other = "./prices.csv"
    assert watch_of(source, "", f"open({str(other)!r}).read()")[1]


def test_a_file_of_a_folder_of_prices_is_the_source_too(source, watch_of, tmp_path):
    assert watch_of(tmp_path, "", f"open({str(source)!r}).read()")[1]


def test_where_prices_lie_on_disk(source, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "other.csv").touch()
    (tmp_path / "notes.txt").touch()
    assert source_files(str(source), tmp_path) == (source.resolve(),)
    assert [f.name for f in source_files(str(tmp_path), tmp_path)] == [
        "prices.csv", "prices.parquet"
    ]  # fmt: skip
    stored = [f.name for f in source_files("yahoo:SPY", tmp_path)]
    assert stored == ["other.csv", "notes.txt", "prices.csv", "prices.parquet"]
    assert source_files("sample:simulated?assets=2", tmp_path) == ()
    assert source_files("made by a program", tmp_path) == ()


@pytest.mark.parametrize("source", ["sample:us_stocks", "sample:indices", "folder"])
def test_what_is_watched_is_what_the_loader_reads(source, tmp_path, monkeypatch):
    if source == "folder":
        text = "date,close\n2020-01-02,1.0\n2020-01-03,1.1\n2020-01-06,1.2\n"
        for name in ("A.csv", "B.CSV", ".hidden.csv", "C.tsv"):
            (tmp_path / name).write_text(text)
        source = str(tmp_path)
    read = []
    monkeypatch.setattr(
        "fingru.market.sources.csv_file.read_csv",
        lambda path, *rest: (read.append(path.resolve()), read_csv(path, *rest))[1],
    )
    load_prices(source)
    assert source_files(source, tmp_path) == tuple(sorted(read)) != ()


def test_the_file_of_a_sample_is_the_source_of_that_sample(watch_of):
    above, body = "from fingru import load_prices", "load_prices('sample:indices')"
    _, found, _ = watch_of("sample:indices", above, body)
    assert any("sp500" in access.what for access in found)


def test_a_strategy_that_simulates_the_market_it_is_tested_on_is_found(watch_of):
    name = "sample:simulated?assets=1&sessions=300"
    _, found, _ = watch_of(name, "from fingru import load_prices", f"load_prices({name!r})")
    assert [access.what for access in found] == [f"reads {name}"]


@pytest.mark.skipif(sys.platform != "linux", reason="opens are counted on Linux only")
def test_a_compiled_reader_is_found_though_python_is_not_told_of_it(source, watch_of):
    path = str(source.with_suffix(".parquet"))
    above, body = "import pyarrow.parquet as pq", f"pq.read_table({path!r})"
    _, found, _ = watch_of(path, above, body, rounds=3)
    assert [access.what for access in found] == [f"reads {path} with a compiled reader"]


@pytest.mark.skipif(sys.platform != "linux", reason="opens are counted on Linux only")
def test_one_open_by_whomever_is_a_reservation_and_no_leak(source, watch_of, tmp_path):
    """Another program may have opened the file: only what happens every time is the strategy's."""
    path, flag = str(source.with_suffix(".parquet")), tmp_path / "once"
    body = (f"\n        if not os.path.exists({str(flag)!r}):\n"
            f"            open({str(flag)!r}, 'w').close(); pq.read_table({path!r})")  # fmt: skip
    above = "import os\nimport pyarrow.parquet as pq"
    _, found, (reserved,) = watch_of(path, above, body, rounds=3)
    assert found == []
    assert "by it or by another program" in reserved


@pytest.mark.parametrize(
    ("above", "body", "told"),
    [
        ("", "open({side!r}).read()", "my.py, line 6, reads "),
        ("import sqlite3", "sqlite3.connect({side!r})", "my.py, line 6, reads "),
        ("import subprocess", "subprocess.run(['true'])", "starts another process (true)"),
        ("import os", "os.system('true')", "starts another process (true)"),
        (
            "import socket",
            "\n        try:\n            socket.create_connection(('127.0.0.1', 9), 0.1)\n"
            "        except OSError:\n            pass",
            "reaches the network (127.0.0.1)",
        ),
    ],
)
def test_what_else_is_reached_for_is_named_as_not_vouched_for(
    source, watch_of, tmp_path, above, body, told
):
    side = tmp_path / "side.json"
    side.write_text("{}")
    _, found, reserved = watch_of(source, above, body.format(side=str(side)))
    assert found == []
    assert any(told in text for text in reserved)


@pytest.mark.parametrize(
    ("above", "body"),
    [
        ("", "pass"),
        ("import zoneinfo", "zoneinfo.ZoneInfo('Europe/Berlin')"),
        ("import json, colorsys, wave", "import graphlib"),
        ("import helper_of_my_strategy", "pass"),
        ("import numpy.testing", "np.random.default_rng().normal()"),
        ("import os", "os.urandom(8); open('/dev/null').read(); os.listdir('.')"),
        ("", "open({log!r}, 'a').write('x')"),
    ],
)
def test_honest_code_raises_no_alarm(source, watch_of, tmp_path, monkeypatch, above, body):
    (tmp_path / "helper_of_my_strategy.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    _, found, reserved = watch_of(source, above, body.format(log=str(tmp_path / "log")))
    assert (found, reserved) == ([], [])


def test_a_column_that_reads_the_file_is_found(source, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n\n\ndef column(bars):\n"
        f"    return np.genfromtxt({str(source)!r}, delimiter=',', skip_header=1)[:, 1]\n"
    )
    column = f"{file}:column"
    config = with_values(Config(), {"features.columns": ["log_return", column]})
    with watched(str(source), config) as seen:
        with seen:
            load_feature(column)(None)
        (access,) = seen.reads_of_source()
    assert access.where == "mine.py, line 5,"


def test_what_the_caller_of_the_backtest_reads_is_not_the_strategys(source):
    with watched(str(source), Config()) as seen:
        source.read_bytes()
        with seen:
            load_strategy("risk_aware")
        source.read_bytes()
        assert seen.reads_of_source() == []
        assert reservations(seen, Config()) == []


def test_nothing_is_kept_while_no_watch_is_entered(source, watch_of):
    seen, _, _ = watch_of(source, "", "pass")
    source.read_bytes()
    assert seen.reads_of_source() == []


def test_fills_at_the_close_of_the_decision_are_named():
    config = with_values(Config(), {"simulation.fill": "same_close"})
    with watched("sample:us_stocks", config) as seen:
        (reserved,) = reservations(seen, config)
        assert "same_close" in reserved
        assert "nobody can do" in reserved
        assert limits(seen) == LIMITS


def test_a_system_without_counted_opens_says_what_it_does_not_see(source, monkeypatch):
    monkeypatch.setattr("fingru.audit.leak.native.sys", SimpleNamespace(platform="other"))
    config = with_values(Config(), {"strategy.name": "my.py"})
    with watched(str(source), config) as seen:
        assert "compiled reader" in limits(seen)
    with watched(str(source), Config()) as seen:
        assert limits(seen) == LIMITS

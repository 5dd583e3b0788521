"""What there is to set and to choose, and what the shell offers on Tab."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from fingru.cli import complete
from fingru.config import Config, load_config
from fingru.config.catalogue import all_settings, sections


def test_every_setting_is_shown_with_value_default_limits_and_meaning(fingru):
    answer = fingru("config", "show", "--set", "model.hidden_size=9", "--json")
    found = {row["key"]: row for row in answer.document["settings"]}
    assert list(found) == list(all_settings())
    hidden = found["model.hidden_size"]
    assert (hidden["value"], hidden["default"]) == (9, Config().model.hidden_size)
    assert hidden["allowed"] == "an integer from 1 to 1,024"
    assert "Hidden units" in hidden["help"]
    table = fingru("config", "show", "--set", "model.hidden_size=9").out
    assert "9*" in table
    for section in sections():
        assert f"{section}: " in table


def test_shown_toml_reads_back(fingru, tmp_path):
    text = fingru("config", "show", "--set", "seed=5", "--set", "horizons=[1,5]", "--toml").out
    (tmp_path / "shown.toml").write_text(text)
    assert load_config(tmp_path / "shown.toml") == load_config(None, ["seed=5", "horizons=[1,5]"])


def test_two_forms_at_once_are_refused(fingru):
    answer = fingru("config", "show", "--toml", "--json")
    assert (answer.code, answer.out) == (2, "")


def test_a_new_file_holds_every_setting_explained_and_reads_back_as_the_defaults(fingru, tmp_path):
    answer = fingru("config", "init", "deep/mine.toml")
    assert answer.code == 0
    text = (tmp_path / "deep/mine.toml").read_text()
    assert load_config(tmp_path / "deep/mine.toml") == Config()
    written = tomllib.loads(text)
    for key, setting in all_settings().items():
        *outer, name = key.split(".")
        inside = written[outer[0]] if outer else written
        assert (name in inside) == (setting.default is not None)
        if setting.default is None:
            assert f"# {name} =" in text
    assert "Allowed: an integer from 1 to 1,024." in text
    assert max(len(line) for line in text.splitlines()) < 100


def test_a_file_that_is_there_is_never_overwritten(fingru, tmp_path):
    (tmp_path / "fingru.toml").write_text("seed = 3\n")
    answer = fingru("config", "init")
    assert (answer.code, answer.out) == (2, "")
    assert "fingru.toml exists already" in answer.err
    assert (tmp_path / "fingru.toml").read_text() == "seed = 3\n"


def test_one_key_and_one_section_are_explained(fingru):
    answer = fingru("config", "explain", "training.dropout")
    assert "training.dropout: Dropout between GRUs" in answer.out
    assert "a number from 0 and below 1" in answer.out
    assert "0.2" in answer.out
    section = fingru("config", "explain", "retrain", "--json").document
    keys = [row["key"] for row in section["settings"]]
    assert keys == [key for key in all_settings() if key.startswith("retrain.")]


@pytest.mark.parametrize(
    ("key", "mend"), [("model.hiden", "'model.hidden_size'"), ("hidden", "'model.hidden_size'")]
)
def test_a_typo_is_answered_with_the_nearest_key(fingru, key, mend):
    answer = fingru("config", "explain", key)
    assert (answer.code, answer.out) == (2, "")
    assert f"there is no setting {key!r}: did you mean {mend}?" in answer.err


def test_features_say_what_they_need_and_whether_a_source_has_it(fingru, tmp_path):
    from fingru.features.registry import available_columns

    found = fingru("features", "--json").document["features"]
    assert [row["name"] for row in found] == list(available_columns())
    assert all(row["meaning"] and row["warmup_bars"] > 0 for row in found)
    assert {row["available"] for row in found} == {None}
    closes = "Date,Close\n" + "".join(
        f"20{20 + i // 336}-{i // 28 % 12 + 1:02}-{i % 28 + 1:02},{10 + i % 7}\n"
        for i in range(400)
    )
    (tmp_path / "closes.csv").write_text(closes)
    here = {
        row["name"]: row for row in fingru("features", "closes.csv", "--json").document["features"]
    }
    assert here["log_return"]["available"] is True
    assert here["volume_ratio"]["available"] is False
    assert here["volume_ratio"]["needs"] == ["volume"]
    table = fingru("features", "closes.csv").out
    assert "log_return*" in table
    assert "ta:" not in table
    assert "ta:momentum_roc" in fingru("features", "--all").out


def test_strategies_are_listed_with_their_parameters(fingru):
    rows = {row["name"]: row for row in fingru("strategies", "--json").document["strategies"]}
    assert rows["ewma_vol_target"]["parameters"]["volatility"] == 0.15
    needs = {name for name, row in rows.items() if row["needs_forecast"]}
    assert needs == {"risk_aware", "vol_target"}
    assert "lookback=252" in fingru("strategies").out


def test_kinds_of_forecasters_are_listed(fingru):
    from fingru.models.registry import kinds

    rows = fingru("models", "kinds", "--json").document["kinds"]
    assert [row["kind"] for row in rows] == [*kinds(), "none"]
    assert {"gru", "ewma", "gjr_garch_t"} < set(kinds())
    assert "GJR-GARCH" in fingru("models", "kinds").out


DEFAULTS = {
    ("backtest", "--cost-bps"): "simulation.cost_bps",
    ("backtest", "--members"): "model.members",
    ("backtest", "--seed"): "seed",
    ("backtest", "--strategy"): "strategy.name",
    ("backtest", "--model"): "model.kind",
    ("backtest", "--device"): "device",
    ("backtest", "--refit"): "walk_forward.refit",
    ("backtest", "--runs"): "store.runs",
    ("backtest", "--data"): "data.source",
    ("backtest", "--horizons"): "horizons",
    ("train", "--models"): "store.models",
    ("nulltest", "--surrogates"): "null_test.surrogates",
    ("nulltest", "--kind"): "null_test.kind",
}


@pytest.mark.parametrize(("option", "key"), DEFAULTS.items(), ids=map(str, DEFAULTS))
def test_help_names_the_default_of_the_settings(option, key):
    import typer

    from fingru.cli.app import app

    command = typer.main.get_command(app).commands[option[0]]
    command.get_help(typer.Context(command))
    (found,) = [p for p in command.params if option[1] in p.opts]
    default = all_settings()[key].default
    default = default[0] if isinstance(default, list) else default
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    assert found.help.endswith(f"[{shown}]")


def offered(environment, words, **more):
    """What bash would be given, by a process of its own."""
    line = f"fingru {words}"
    position = len(line.split()) - (0 if line.endswith(" ") else 1)
    answer = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['fingru']; from fingru.cli import main; "
         "main()"],
        check=False, capture_output=True, text=True,
        env=environment | {"_FINGRU_COMPLETE": "complete_bash", "COMP_WORDS": line,
                           "COMP_CWORD": str(position)} | more,
    )  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout.split()


def test_the_shell_completes_keys_and_names(environment):
    assert offered(environment, "backtest --set model.lik") == ["model.likelihood="]
    assert {"gru", "ewma", "none"} <= set(offered(environment, "backtest --model "))


class Context:
    def __init__(self, **params):
        self.params = params


def test_offers_fit_what_is_typed(tmp_path):
    for name in ("20240101-a", "20240102-b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
        (tmp_path / name / "job.json").write_text("{}")
    assert complete.run_ids(Context(runs=tmp_path), "2024") == [
        ("20240102-b", ""),
        ("20240101-a", ""),
    ]
    assert complete.model_ids(Context(models=tmp_path), "20240102") == [("20240102-b", "")]
    assert complete.run_ids(Context(), "2") == []
    keys = [key for key, _ in complete.assignments(Context(), "")]
    assert keys == [f"{key}=" for key in all_settings()]
    assert [word for word, _ in complete.assignments(Context(), "walk_forward.refit=")] == [
        f"walk_forward.refit={period}" for period in ("year", "quarter", "month")
    ]
    assert complete.assignments(Context(), "no.such=") == []  # and no error
    assert ("sample:indices" in dict(complete.sources(Context(), "sample:i"))) is True
    assert list(dict(complete.strategies(Context(), "vol"))) == ["vol_target"]
    assert "model" in dict(complete.keys_and_sections(Context(), "mo"))


def test_completing_and_listing_load_no_torch(environment, tmp_path):
    code = (
        "import sys; from fingru.cli import complete; from fingru.cli.app import app;"
        "complete.assignments(None, 'model.'); complete.strategies(None, '');"
        "assert not {'torch', 'numba', 'scipy', 'plotly', 'streamlit'} & set(sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, env=environment,
        cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr.decode()

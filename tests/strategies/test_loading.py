"""Finding a strategy by name, file or module, and refusing what cannot be one."""

import sys
from dataclasses import dataclass, field

import pytest

from fingru.bundled import bundled_path
from fingru.errors import FingruWarning, StrategyError
from fingru.strategy import available_strategies, find_strategy, load_strategy
from fingru.trust import code_of

GOOD = """
from dataclasses import dataclass

@dataclass
class Half:
    size: float = 0.5
    label: str = "x"

    def target_weights(self, view):
        return [self.size] * len(view.assets)
"""


@pytest.fixture
def write(tmp_path):
    def make(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return make


def test_available_strategies_are_the_shipped_files():
    assert available_strategies() == [
        "buy_and_hold", "equal_weight", "ewma_vol_target", "risk_aware", "vol_target",
    ]  # fmt: skip


@pytest.mark.parametrize("name", available_strategies())
def test_load_strategy_by_shipped_name(name):
    loaded, strategy = load_strategy(name, None)
    assert loaded == name
    assert callable(strategy.target_weights)


def test_load_strategy_from_a_file_with_parameters(write):
    name, strategy = load_strategy(write(GOOD), {"size": 1})
    assert name == "mine"
    assert strategy.size == 1.0
    assert isinstance(strategy.size, float)


def test_load_strategy_tells_an_own_file_from_the_shipped_one_of_that_name(write):
    assert load_strategy(write(GOOD, "equal_weight.py"), {})[0] == "equal_weight_custom"
    shipped = bundled_path("strategies") / "equal_weight.py"
    assert load_strategy(str(shipped), {})[0] == "equal_weight"


def test_load_strategy_gives_a_new_instance_each_time(write):
    path = write(GOOD)
    assert load_strategy(path, None)[1] is not load_strategy(path, None)[1]


def test_load_strategy_picks_the_named_class(write):
    path = write(
        GOOD + "\nclass Other:\n    def target_weights(self, view):\n        return None\n"
    )
    assert load_strategy(f"{path}:Other", {})[0] == "Other"
    with pytest.raises(StrategyError, match=r"several strategies: Half, Other: .*mine.py:Half"):
        load_strategy(path, {})


def test_load_strategy_ignores_imported_and_private_classes(write):
    other = "from fingru.strategy import Strategy\nclass _Base:\n"
    other += "    def target_weights(self, view):\n        return None\n"
    assert load_strategy(write(other + GOOD), {})[0] == "mine"


def test_load_strategy_by_module_in_the_working_directory(write, tmp_path, monkeypatch):
    write(GOOD, "my_module_of_strategies.py")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert load_strategy("my_module_of_strategies:Half", {"size": 0.1})[1].size == 0.1
    assert sys.path == before
    monkeypatch.delitem(sys.modules, "my_module_of_strategies")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("vol_targt", "no strategy 'vol_targt': did you mean 'vol_target'.*shipped are buy_and"),
        ("momentum", "no strategy 'momentum': shipped are"),
        ("nowhere/mine.py", "nowhere/mine.py does not exist"),
        ("no_such_module_here:X", "no_such_module_here cannot be imported, ModuleNotFoundError"),
        ("json:X", "no class 'X' with a method target_weights"),
        ("json:JSONDecoder", "no class 'JSONDecoder' with a method target_weights"),
    ],
)
def test_load_strategy_refuses_what_is_not_there(reference, message):
    with pytest.raises(StrategyError, match=message) as refused:
        load_strategy(reference, {})
    assert refused.value.mend


def test_load_strategy_names_file_and_line_of_a_syntax_error(write):
    path = write("x = 1\nclass Broken\n    pass\n")
    with pytest.raises(StrategyError, match="not valid Python") as refused:
        load_strategy(path, {})
    assert refused.value.mend == f"see {path}, line 2"


def test_load_strategy_names_file_and_line_of_a_failing_import(write):
    path = write("import math\n\n\nmath.sqrt(-1)\n")
    before = set(sys.modules)
    with pytest.raises(StrategyError, match="ValueError") as refused:
        load_strategy(path, {})
    assert refused.value.mend == f"see {path}, line 4"
    assert set(sys.modules) == before


def test_load_strategy_refuses_a_file_without_a_strategy(write):
    with pytest.raises(StrategyError, match="has no class with a method target_weights"):
        load_strategy(write("class Idea:\n    pass\n"), {})


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"volatilty": 0.1}, "no parameter 'volatilty': did you mean 'volatility'"),
        ({"xyz": 1}, "no parameter 'xyz': its parameters: volatility, horizon"),
        ({"volatility": "high"}, "parameter 'volatility' is 'high': Input should be a valid num"),
        ({"lookback": 2.5}, "parameter 'lookback' is 2.5: Input should be a valid integer"),
    ],
)
def test_load_strategy_refuses_wrong_parameters(parameters, message):
    with pytest.raises(StrategyError, match=message):
        load_strategy("vol_target", parameters)


def test_load_strategy_refuses_a_missing_parameter_and_a_failing_constructor(write):
    text = "class Needs:\n    def __init__(self, size: float):\n"
    text += "        self.size = 1 / size\n\n"
    text += "    def target_weights(self, view):\n        return None\n"
    path = write(text)
    with pytest.raises(StrategyError, match=r"needs the parameter 'size': set strategy.param"):
        load_strategy(path, {})
    with pytest.raises(StrategyError, match="cannot be built, ZeroDivisionError"):
        load_strategy(path, {"size": 0})
    with pytest.raises(StrategyError, match="no parameter 'x': its parameters: none"):
        load_strategy("buy_and_hold", {"x": 1})


def test_load_strategy_passes_anything_to_a_class_that_takes_anything(write):
    text = "class Any:\n    def __init__(self, **options):\n        self.options = options\n\n"
    text += "    def target_weights(self, view):\n        return None\n"
    assert load_strategy(write(text), {"a": 1, "b": "c"})[1].options == {"a": 1, "b": "c"}


@pytest.mark.parametrize("key", ["volatility", "horizon", "lookback"])
def test_true_is_no_number_for_a_parameter(key):
    with pytest.raises(StrategyError, match=f"parameter '{key}' is true: give a number"):
        load_strategy("risk_aware", {key: True})


def test_a_home_that_is_abbreviated_is_the_one_that_trust_looks_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "abbreviated.py").write_text(
        "class Home:\n    def target_weights(self, view):\n        return None\n"
    )
    assert load_strategy("~/abbreviated.py")[0] == "abbreviated"
    assert code_of({"strategy": {"name": "~/abbreviated.py"}})["~/abbreviated.py"]["sha256"]


@pytest.mark.parametrize(
    ("line", "now"),
    [
        ("from fingru.risk import Risk", r"fingru\.risk, which is fingru\.strategy now"),
        ("from fingru.forecast.scores import interval", r"is view\.forecast itself \(\.interval"),
        ("from fingru.measures.scores import interval", r"is view\.forecast itself \(\.interval"),
    ],
)
def test_an_import_from_where_it_was_before_says_where_it_is(write, line, now):
    path = write(f"import math\n\n{line}\n")
    with pytest.raises(StrategyError, match=now):
        load_strategy(path)


def test_a_parameter_of_an_earlier_name_is_taken_and_the_new_name_said():
    with pytest.warns(FingruWarning, match="'speed' is called 'adjustment_rate' now"):
        strategy = load_strategy("vol_target", {"speed": 0.5})[1]
    assert strategy.adjustment_rate == 0.5
    with pytest.raises(StrategyError, match="both are given: give adjustment_rate alone"):
        load_strategy("vol_target", {"speed": 0.5, "adjustment_rate": 0.4})


STATE = """
SEEN = []


class Remembers:
    kept = []

    def target_weights(self, view):
        SEEN.append(view)
        self.kept.append(view)
        return None
"""


def test_nothing_that_a_file_keeps_outlives_the_instance(write):
    factory = find_strategy(write(STATE))
    first = factory.make()
    first.target_weights("a view")
    second = factory.make()
    assert second.kept == []
    assert second.target_weights.__globals__["SEEN"] == []


def test_the_source_that_runs_is_that_of_when_it_was_found(write, tmp_path):
    factory = find_strategy(write(GOOD))
    (tmp_path / "mine.py").write_text("raise ValueError('changed while the run was going on')")
    assert factory.make().size == 0.5


@dataclass
class Counts:
    """Counts its decisions."""

    size: float = 0.5
    decisions: list = field(default_factory=list)
    note: object = None

    def target_weights(self, view):
        self.decisions.append(view)


def test_an_instance_is_copied_as_it_was_given():
    given = Counts(0.25)
    factory = find_strategy(given)
    given.decisions.append("later")
    first, second = factory.make(), factory.make()
    first.target_weights("a view")
    assert (second.size, second.decisions) == (0.25, [])
    assert factory.name == "Counts"
    assert factory.given.parameters == {"size": 0.25, "decisions": "[]", "note": "None"}
    assert factory.given.reference.endswith(":Counts")
    assert "Counts its decisions." in factory.given.source


def test_a_class_is_called_with_its_parameters():
    factory = find_strategy(Counts, {"size": 1})
    assert factory.make().size == 1.0
    assert factory.make() is not factory.make()
    assert factory.given.parameters == {"size": 1}
    with pytest.raises(StrategyError, match="no parameter 'siez': did you mean 'size'"):
        find_strategy(Counts, {"siez": 1})


def test_an_object_called_like_a_shipped_strategy_is_told_from_it():
    class vol_target(Counts):  # noqa: N801
        pass

    assert find_strategy(vol_target()).name == "vol_target_custom"


@pytest.mark.parametrize(
    ("strategy", "parameters", "message"),
    [
        (3, {}, "int is not a strategy: it has no method target_weights"),
        (Counts(), {"size": 1}, "is an instance, which takes no parameters"),
        (Counts(note=(i for i in ())), {}, "cannot be copied, TypeError.*give its class"),
    ],
)
def test_objects_that_cannot_be_used_are_refused(strategy, parameters, message):
    with pytest.raises(StrategyError, match=message):
        find_strategy(strategy, parameters)

"""A user's own feature: from a file, from a module, and what is refused."""

import numpy as np
import pytest

from fingru.errors import ConfigError, LeakFoundError
from fingru.features import FeatureSettings, build_features

GOOD = '''
"""Momentum over ten bars."""
import numpy as np
from fingru.features import feature

@feature(warmup=lambda windows: windows.window(10) + 1)
def momentum(bars):
    w = bars.windows.window(10)
    out = np.full(len(bars), np.nan)
    out[w:] = np.log(bars.close[w:] / bars.close[:-w])
    return out

def last_return(bars):
    return bars.log_return
'''

BAD = """
import numpy as np
import pandas as pd
from fingru.features import feature

def tomorrow(bars):
    return pd.Series(bars.close).pct_change().shift(-1)

def scaled(bars):
    r = np.nan_to_num(bars.log_return)
    return (r - r.mean()) / r.std()

def centred(bars):
    return pd.Series(bars.log_return).rolling(5, center=True).mean()

def short(bars):
    return bars.close[1:]

def words(bars):
    return np.array(["up"] * len(bars))

def broken(bars):
    return bars.close[len(bars)]

def writes(bars):
    bars.close[0] = 1.0
    return bars.close

def wants_volume(bars):
    return bars.field("volume")
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="my_features.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return to_file


def build(prices, *columns):
    return build_features(prices, FeatureSettings(columns=columns, scales=(1, 5)))


def test_own_feature_from_a_file_is_a_column(prices_small, write):
    path = write(GOOD)
    features = build(prices_small, "log_return", f"{path}:momentum", f"{path}:last_return")
    assert features.names == ("log_return", "momentum", "last_return")
    t = 400
    expected = np.log(prices_small.close[t, 0] / prices_small.close[t - 10, 0])
    assert features.values[0, t, 0, 1] == pytest.approx(expected, rel=1e-6)


def test_own_feature_from_a_module(prices_small, write, monkeypatch):
    path = write(GOOD, "own_features_of_a_user.py")
    monkeypatch.syspath_prepend(path.parent)
    features = build(prices_small, "own_features_of_a_user:momentum")
    assert features.names == ("momentum",)


def test_fingerprint_follows_the_source_of_the_file(prices_small, write):
    path = write(GOOD)
    first = build(prices_small, f"{path}:momentum").fingerprint
    write(GOOD + "\n# edited\n")
    assert build(prices_small, f"{path}:momentum").fingerprint != first


@pytest.mark.parametrize("name", ["tomorrow", "scaled", "centred"])
def test_look_ahead_is_refused_by_name(prices_small, write, name):
    path = write(BAD)
    with pytest.raises(LeakFoundError, match=f"feature '{name}' reads the future"):
        build(prices_small, f"{path}:{name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("short", r"'short' returned an array of shape \(599,\)"),
        ("words", "'words' returned an array of shape"),
        ("broken", r"'broken' failed at scale 1 on 600 bars \(IndexError"),
        ("writes", "'writes' failed .* read-only"),
        ("wants_volume", "reads 'volume', which these prices do not have"),
        ("absent", r"has no function 'absent': .*my_features.py offers .*tomorrow"),
    ],
)
def test_unusable_functions_are_refused_by_name(prices_small, write, name, message):
    path = write(BAD)
    with pytest.raises(ConfigError, match=message):
        build(prices_small, f"{path}:{name}")


def test_missing_and_broken_files_and_modules_are_named(prices_small, write):
    with pytest.raises(ConfigError, match=r"feature file nowhere\.py does not exist"):
        build(prices_small, "nowhere.py:momentum")
    with pytest.raises(ConfigError, match=r"imported, ZeroDivisionError.*my_features\.py, line 1"):
        build(prices_small, f"{write('x = 1 / 0')}:momentum")
    with pytest.raises(ConfigError, match="cannot be imported"):
        build(prices_small, "no_such_package_here:momentum")


def test_two_columns_of_one_name_are_refused(prices_small, write):
    path = write("def rsi(bars):\n    return bars.log_return\n")
    with pytest.raises(ConfigError, match="two features named 'rsi'"):
        build(prices_small, "rsi", f"{path}:rsi")


def test_unknown_needs_are_refused(prices_small, write):
    path = write(
        "from fingru.features import feature\n"
        "@feature(needs=('bid',))\ndef spread(bars):\n    return bars.close\n"
    )
    with pytest.raises(ConfigError, match="cannot need 'bid'"):
        build(prices_small, f"{path}:spread")

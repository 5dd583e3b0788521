"""Every other causal column of ``ta.add_all_ta_features``, as ``ta:<column>``.

An allow-list: a column is here because its future was perturbed and its past stayed. Each is
standardised by its own trailing mean and deviation, so price levels and running sums are usable.

Chained smoothings forget slowly: right after the warm-up a column may still differ by up to about
one deviation (0.01 on average) from what a longer history would give, at slow scales above all;
PSAR may even stand on its other side. At scale 1 it is below 0.1 for all but PSAR.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from fingru.arrays import FloatArray
from fingru.errors import ConfigError
from fingru.features.bars import Bars, Windows
from fingru.features.definition import Feature, settled
from fingru.features.trailing import ewma, lagged
from fingru.features.volatility import start_bars

REFUSED = {
    "trend_kst": "it fills its first bars with the mean of the whole series",
    "trend_kst_sig": "it fills its first bars with the mean of the whole series",
    "trend_kst_diff": "it fills its first bars with the mean of the whole series",
    "trend_visual_ichimoku_a": "it is shifted and then filled with the mean of the whole series",
    "trend_visual_ichimoku_b": "it is shifted and then filled with the mean of the whole series",
}
"""Columns of ``ta`` 0.11 that read the future even with ``fillna=False``, and why."""


@dataclass(frozen=True)
class Indicator:
    """One class of ``ta``: its windows in ``add_all_ta_features``, and its methods by column."""

    path: str
    windows: tuple[tuple[str, int], ...]
    methods: tuple[tuple[str, str], ...]


def _indicator(path: str, windows: str, methods: str) -> Indicator:
    """Read ``name=number`` windows and ``column=method`` pairs."""
    sizes = tuple((k, int(v)) for k, v in (w.split("=") for w in windows.split()))
    pairs = [m.split("=") for m in methods.split()]
    return Indicator(path, sizes, tuple((column, method) for column, method in pairs))


MACD_LIKE = "window_slow=26 window_fast=12 window_sign=9"

INDICATORS = (
    _indicator("volume.AccDistIndexIndicator", "", "volume_adi=acc_dist_index"),
    _indicator("volume.OnBalanceVolumeIndicator", "", "volume_obv=on_balance_volume"),
    _indicator("volume.ChaikinMoneyFlowIndicator", "window=20", "volume_cmf=chaikin_money_flow"),
    _indicator("volume.ForceIndexIndicator", "window=13", "volume_fi=force_index"),
    _indicator(
        "volume.EaseOfMovementIndicator",
        "window=14",
        "volume_em=ease_of_movement volume_sma_em=sma_ease_of_movement",
    ),
    _indicator("volume.VolumePriceTrendIndicator", "", "volume_vpt=volume_price_trend"),
    _indicator(
        "volume.VolumeWeightedAveragePrice",
        "window=14",
        "volume_vwap=volume_weighted_average_price",
    ),
    _indicator("volume.MFIIndicator", "window=14", "volume_mfi=money_flow_index"),
    _indicator("volume.NegativeVolumeIndexIndicator", "", "volume_nvi=negative_volume_index"),
    _indicator(
        "volatility.BollingerBands",
        "window=20",
        "volatility_bbm=bollinger_mavg volatility_bbh=bollinger_hband "
        "volatility_bbl=bollinger_lband volatility_bbw=bollinger_wband "
        "volatility_bbp=bollinger_pband volatility_bbhi=bollinger_hband_indicator "
        "volatility_bbli=bollinger_lband_indicator",
    ),
    _indicator(
        "volatility.KeltnerChannel",
        "window=10",
        "volatility_kcc=keltner_channel_mband volatility_kch=keltner_channel_hband "
        "volatility_kcl=keltner_channel_lband volatility_kcw=keltner_channel_wband "
        "volatility_kcp=keltner_channel_pband volatility_kchi=keltner_channel_hband_indicator "
        "volatility_kcli=keltner_channel_lband_indicator",
    ),
    _indicator(
        "volatility.DonchianChannel",
        "window=20",
        "volatility_dcl=donchian_channel_lband volatility_dch=donchian_channel_hband "
        "volatility_dcm=donchian_channel_mband volatility_dcw=donchian_channel_wband "
        "volatility_dcp=donchian_channel_pband",
    ),
    _indicator("volatility.AverageTrueRange", "window=10", "volatility_atr=average_true_range"),
    _indicator("volatility.UlcerIndex", "window=14", "volatility_ui=ulcer_index"),
    _indicator(
        "trend.MACD",
        MACD_LIKE,
        "trend_macd=macd trend_macd_signal=macd_signal trend_macd_diff=macd_diff",
    ),
    _indicator("trend.SMAIndicator", "window=12", "trend_sma_fast=sma_indicator"),
    _indicator("trend.SMAIndicator", "window=26", "trend_sma_slow=sma_indicator"),
    _indicator("trend.EMAIndicator", "window=12", "trend_ema_fast=ema_indicator"),
    _indicator("trend.EMAIndicator", "window=26", "trend_ema_slow=ema_indicator"),
    _indicator(
        "trend.VortexIndicator",
        "window=14",
        "trend_vortex_ind_pos=vortex_indicator_pos trend_vortex_ind_neg=vortex_indicator_neg "
        "trend_vortex_ind_diff=vortex_indicator_diff",
    ),
    _indicator("trend.TRIXIndicator", "window=15", "trend_trix=trix"),
    _indicator("trend.MassIndex", "window_fast=9 window_slow=25", "trend_mass_index=mass_index"),
    _indicator("trend.DPOIndicator", "window=20", "trend_dpo=dpo"),
    _indicator(
        "trend.IchimokuIndicator",
        "window1=9 window2=26 window3=52",
        "trend_ichimoku_conv=ichimoku_conversion_line trend_ichimoku_base=ichimoku_base_line "
        "trend_ichimoku_a=ichimoku_a trend_ichimoku_b=ichimoku_b",
    ),
    _indicator(
        "trend.STCIndicator",
        "window_slow=50 window_fast=23 cycle=10 smooth1=3 smooth2=3",
        "trend_stc=stc",
    ),
    _indicator(
        "trend.ADXIndicator",
        "window=14",
        "trend_adx=adx trend_adx_pos=adx_pos trend_adx_neg=adx_neg",
    ),
    _indicator("trend.CCIIndicator", "window=20", "trend_cci=cci"),
    _indicator(
        "trend.AroonIndicator",
        "window=25",
        "trend_aroon_up=aroon_up trend_aroon_down=aroon_down trend_aroon_ind=aroon_indicator",
    ),
    _indicator(
        "trend.PSARIndicator",
        "",
        "trend_psar_up=psar_up trend_psar_down=psar_down "
        "trend_psar_up_indicator=psar_up_indicator trend_psar_down_indicator=psar_down_indicator",
    ),
    _indicator("momentum.RSIIndicator", "window=14", "momentum_rsi=rsi"),
    _indicator(
        "momentum.StochRSIIndicator",
        "window=14 smooth1=3 smooth2=3",
        "momentum_stoch_rsi=stochrsi momentum_stoch_rsi_k=stochrsi_k "
        "momentum_stoch_rsi_d=stochrsi_d",
    ),
    _indicator("momentum.TSIIndicator", "window_slow=25 window_fast=13", "momentum_tsi=tsi"),
    _indicator(
        "momentum.UltimateOscillator",
        "window1=7 window2=14 window3=28",
        "momentum_uo=ultimate_oscillator",
    ),
    _indicator(
        "momentum.StochasticOscillator",
        "window=14 smooth_window=3",
        "momentum_stoch=stoch momentum_stoch_signal=stoch_signal",
    ),
    _indicator("momentum.WilliamsRIndicator", "lbp=14", "momentum_wr=williams_r"),
    _indicator(
        "momentum.AwesomeOscillatorIndicator",
        "window1=5 window2=34",
        "momentum_ao=awesome_oscillator",
    ),
    _indicator("momentum.ROCIndicator", "window=12", "momentum_roc=roc"),
    _indicator(
        "momentum.PercentagePriceOscillator",
        MACD_LIKE,
        "momentum_ppo=ppo momentum_ppo_signal=ppo_signal momentum_ppo_hist=ppo_hist",
    ),
    _indicator(
        "momentum.PercentageVolumeOscillator",
        MACD_LIKE,
        "momentum_pvo=pvo momentum_pvo_signal=pvo_signal momentum_pvo_hist=pvo_hist",
    ),
    _indicator("momentum.KAMAIndicator", "window=10", "momentum_kama=kama"),
    _indicator("others.DailyReturnIndicator", "", "others_dr=daily_return"),
    _indicator("others.DailyLogReturnIndicator", "", "others_dlr=daily_log_return"),
    _indicator("others.CumulativeReturnIndicator", "", "others_cr=cumulative_return"),
)

COLUMNS = {
    column: (indicator, method) for indicator in INDICATORS for column, method in indicator.methods
}
"""Allowed columns: their indicator and its method."""

INPUTS = ("high", "low", "close", "volume")


def ta_feature(column: str) -> Feature:
    """Make a feature of one column of ``ta``, standardised by its trailing mean and deviation.

    Raises
    ------
    ConfigError
        If the column reads the future.
    KeyError
        If ``ta`` has no such column.
    """
    if column in REFUSED:
        raise ConfigError(
            f"ta:{column} reads the future: {REFUSED[column]}", "leave it out of features.columns"
        )
    indicator, method = COLUMNS[column]

    def values(bars: Bars) -> FloatArray:
        raw = indicator_values(indicator, method, bars)
        return trailing_z_score(raw, bars.windows)

    def warmup(windows: Windows) -> int:
        blank = _undefined_bars(_sizes(indicator, windows))
        return max(settled(windows), blank + 2 * start_bars(windows.scale) + 1)

    inputs = _inputs(_class(indicator))
    needs = tuple(name for name in inputs if name != "close")
    return Feature(f"ta:{column}", values, warmup, needs)


def indicator_values(indicator: Indicator, method: str, bars: Bars) -> FloatArray:
    """One column as ``ta`` computes it, NaN in its warm-up (where ATR and ADX would say 0.0).

    Windows are shortened together to a quarter of the longest history; the rest of it settles
    the smoothing and the standardisation. Known at: the close of the bar.
    """
    kind = _class(indicator)
    names = [name for name, _ in indicator.windows]
    sizes = _sizes(indicator, bars.windows)
    inputs = {name: bars.series(name) for name in _inputs(kind)}
    with np.errstate(all="ignore"):
        made = kind(**inputs, **dict(zip(names, sizes, strict=True)), fillna=False)
        values = np.array(getattr(made, method)(), dtype=np.float64)
    values[: _undefined_bars(sizes)] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


def _sizes(indicator: Indicator, windows: Windows) -> tuple[int, ...]:
    nominal = [size for _, size in indicator.windows]
    return windows.proportional(*nominal, share=0.25) if nominal else ()


def _undefined_bars(sizes: tuple[int, ...]) -> int:
    """Bars before an indicator with such windows means anything.

    ADX smooths twice and says 0.0 until then; others chain their windows; shifts are filled with
    the mean of the whole series.
    """
    longest = max(sizes, default=1)
    return max(2 * longest, sum(sizes) - len(sizes) + longest)


def trailing_z_score(values: FloatArray, windows: Windows) -> FloatArray:
    """Deviation from the trailing mean in trailing standard deviations.

    With m the EWMA of x over a span of a quarter of the longest history and d its decay:
    ``v[i] = d * ewma((x[i] - m[i-1])**2)`` and ``(x[i] - m[i]) / sqrt(v[i])``; 0 where x does
    not vary. NaN entries are left out. Known at: the bar itself.

    References
    ----------
    D. H. D. West, Updating mean and variance estimates: an improved method, Communications of
    the ACM 22 (1979), in its exponentially weighted form.
    """
    span = max(2.0, windows.longest / (4 * windows.scale))
    decay = 1 - 2 / (span + 1)
    start = start_bars(windows.scale)
    out = np.full(values.shape, np.nan)
    rows = np.flatnonzero(np.isfinite(values))
    x = values[rows]
    mean = ewma(x, decay, start)
    variance = decay * ewma((x - lagged(mean)) ** 2, decay, start)
    noise = (1e-9 * mean) ** 2
    varies = variance > noise
    z = (x - mean) / np.sqrt(np.where(varies, variance, 1.0))
    out[rows] = np.where(np.isnan(variance), np.nan, np.where(varies, z, 0.0))
    return out


@cache
def _class(indicator: Indicator) -> Any:  # noqa: ANN401 - ta is untyped
    module, name = indicator.path.split(".")
    return getattr(import_module(f"ta.{module}"), name)


def _inputs(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - ta is untyped
    return tuple(name for name in inspect.signature(kind).parameters if name in INPUTS)

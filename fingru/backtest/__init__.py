"""Walk forward, trade, account, and judge what it was worth.

``schedule`` turns dates into folds. ``simulator`` asks a strategy at every close (``decisions``
checks what it returns, ``limits`` cuts it) and fills the decision at the next bar in the account
of ``accounting``, which serves a strategy and a matrix of weights alike. ``attribution`` says
where the profit came from, ``robustness`` how it bears cost, delay and size, and ``summary``
makes one row of ``metrics.json`` with the formulas of ``fingru.measures``.

Flow: prices -> ... -> forecast -> strategy -> **backtest** -> measures -> report.
"""

from fingru.backtest.settings import SimulationSettings, WalkForwardSettings

__all__ = ["SimulationSettings", "WalkForwardSettings"]

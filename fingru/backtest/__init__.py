"""Walk forward, trade, account, and judge what it was worth.

``schedule`` turns dates into folds. ``simulator`` asks a strategy at every close (``views`` shows
it the past only, ``decisions`` checks what it returns) and fills the decision at the next bar in
the books of ``accounting``, which serve a strategy and a matrix of weights alike. ``metrics`` are
pure functions of the resulting returns, ``statistics`` says how much luck they may hold,
``periods`` cuts them into months, years and drawdowns; ``summary`` joins them into one row of
``metrics.json``.

Flow: prices -> ... -> forecast -> strategy -> **backtest** -> report.
"""

from fingru.backtest.settings import SimulationSettings, WalkForwardSettings

__all__ = ["SimulationSettings", "WalkForwardSettings"]

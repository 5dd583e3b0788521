"""Classical forecasters that a model has to beat, on the same folds and rows.

``constant`` (mean and variance of all training labels), ``ewma`` (RiskMetrics), ``har``
(heterogeneous autoregression of squared returns), ``garch`` (GARCH(1,1)-t), ``gjr_garch_t`` and
``gjr_garch_t_rolling`` (with leverage, on all or on the last ten years of bars).

Each works on one asset's own bars at a time: parameters are fitted at a fold's origin on the
returns known by then, and the variance is filtered bar by bar through the test range with these
parameters. Importing this package loads none of them.
"""

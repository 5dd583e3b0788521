"""A walk-forward in memory: features, labels, folds, forecasts, strategies, simulation."""

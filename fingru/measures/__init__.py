"""Measures of returns and of forecasts: pure functions, each with its source."""

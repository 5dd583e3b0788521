"""Validated price panels: sources, sessions, data health, and markets with a known truth.

A source's name, or a DataFrame, becomes raw tables (``sources``): columns are recognised
(``layouts``), stamps become sessions (``stamps``, ``sessions``), the bars are checked (``checks``)
and joined to one ``Prices`` panel (``panel``), whose row t holds the bars of session t and nothing
later. ``check_source`` reports on all of it without raising; ``simulate_market`` makes prices
whose conditional mean and variance are known.
"""

from fingru.market.issues import DataIssue, Severity
from fingru.market.load import Coverage, HealthReport, check_source, load_prices
from fingru.market.prices import Prices
from fingru.market.simulated import SimulatedMarket, SimulatedMarketSettings, simulate_market

__all__ = [
    "Coverage",
    "DataIssue",
    "HealthReport",
    "Prices",
    "Severity",
    "SimulatedMarket",
    "SimulatedMarketSettings",
    "check_source",
    "load_prices",
    "simulate_market",
]

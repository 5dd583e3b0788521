"""Distributions of the next return, as values."""

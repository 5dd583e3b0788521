"""Forecasters. The package loads without torch; a model that needs it imports it itself."""

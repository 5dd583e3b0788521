"""The composition root: from configuration and prices to a stored run or a live forecast."""

"""Search for better settings, on the training range alone.

The prices of a study end at the first origin of the walk-forward that will judge its result: the
test rows are not in memory, so no trial can use them. Trials are scored on inner walk-forward
splits of that range, kept in an Optuna database, and entered in the trial ledger.
"""

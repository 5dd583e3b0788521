"""Scheduled retraining: a challenger is trained, compared with the champion, and promoted or not.

``retrain_once`` runs once, as cron needs it; ``run_trigger`` runs it by a cron expression, each
time in a process of its own. A challenger must score better than the champion on sessions that
neither was trained on; being newer is not enough.
"""

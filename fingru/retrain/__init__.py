"""Scheduled retraining: a challenger is trained, compared with the champion, and promoted or not.

``retrain_once`` is one shot and ready for cron; ``run_trigger`` fires it by a cron expression,
each time in a process of its own. A challenger has to score better than the champion on sessions
that neither was trained on; being newer is not enough.
"""

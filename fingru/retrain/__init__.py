"""Scheduled retraining: a challenger is trained, judged, and promoted or kept back with a reason.

``retrain_once`` is one shot and ready for cron; ``run_trigger`` fires it by a cron expression,
each time in a process of its own. Newest never wins by being newest: the challenger has to score
better than the champion on sessions that neither has learnt from.
"""

"""The gate: champion against challenger on sessions that neither was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from fingru.arrays import finite_or_none
from fingru.measures.evaluation import common_rows, row_scores
from fingru.measures.significance import diebold_mariano

Verdict = Literal["promote", "keep"]


@dataclass(frozen=True)
class GateDecision:
    """Whether the challenger may replace the champion, and why."""

    verdict: Verdict
    reason: str  # one sentence with the figures
    # mean log score by forecaster (nats a bar, lower is better); ``n`` forecasts; ``p_value`` of a
    # Diebold-Mariano test of challenger against champion on daily means; None if undefined
    scores: Mapping[str, float | int | None]

    def to_dict(self) -> dict[str, Any]:
        """The decision as plain values."""
        return asdict(self)


def judge(forecasts: pd.DataFrame, horizon: int) -> GateDecision:
    """Compare the forecasters ``champion``, ``challenger`` and ``ewma`` on the same rows.

    The challenger is promoted if its mean log score is lower than the champion's and not higher
    than EWMA's: a model that a one-line formula beats is broken, however bad the champion is.

    ``forecasts`` is a long table with those three as ``model``, all rows out of sample for both
    models; only ``horizon`` counts.
    """
    rows = common_rows(forecasts[forecasts["horizon"] == horizon])
    rows = rows.assign(log_score=row_scores(rows)["log_score"])
    means = {
        name: float(rows.loc[rows["model"] == name, "log_score"].mean())
        for name in ("challenger", "champion", "ewma")
    }
    if not np.isfinite(list(means.values())).all():
        reason = "there is no session on which champion, challenger and EWMA all have a forecast"
        return GateDecision("keep", reason, {"n": 0})
    daily = rows.groupby(["model", "origin"])["log_score"].mean().unstack("model")  # noqa: PD010
    p_value = diebold_mariano(daily["challenger"], daily["champion"], horizon).p_value
    scores: dict[str, float | int | None] = {
        **means,
        "n": int((rows["model"] == "challenger").sum()),
        "p_value": finite_or_none(p_value),
    }
    gain = means["champion"] - means["challenger"]
    figures = f"log score {means['challenger']:.5f} against {means['champion']:.5f}"
    verdict: Verdict = "keep"
    if means["challenger"] > means["ewma"]:
        reason = f"the challenger is worse than EWMA ({means['ewma']:.5f}): {figures}"
    elif gain <= 0:
        reason = f"the challenger is no better than the champion: {figures}"
    else:
        verdict = "promote"
        reason = f"the challenger is better by {gain:.5f} nats: {figures}"
    return GateDecision(verdict, reason, scores)

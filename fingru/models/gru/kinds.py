"""The kind of the GRU; importing this loads no torch."""

from __future__ import annotations

from fingru.models.registry import Kind

KINDS = (
    Kind(
        "gru",
        "GRU",
        "multi-scale GRU with heads for mean, variance, tails and skew; an ensemble",
        make="fingru.models.gru.forecaster:make",
        load="fingru.models.gru.fitted:load",
        needs="500 sessions before the first refit (walk_forward.min_train_bars)",
        needs_features=True,
        from_tensors=True,
        recalibrated=True,
        check="fingru.models.gru.settings:refuse_padding",
    ),
)

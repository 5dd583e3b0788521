"""The split of a fold: the validation tail is the latest part, and purged."""

from __future__ import annotations

from fingru.forecast.problem import Fold
from fingru.models.gru.plan import split_fold
from fingru.models.gru.sequences import build_bank, labelled
from fingru.models.gru.settings import TrainingSettings


def test_validation_tail_is_the_latest_part_and_purged(problem):
    bank = build_bank(problem)
    settings = TrainingSettings(validation_fraction=0.2)
    train, tail = split_fold(Fold(0, 330, 0, 330, 400), 30, settings)
    assert (train.last_known, tail.first_row, tail.last_known) == (270, 270, 330)  # 20 % of 300
    trained, held_out = labelled(bank, train), labelled(bank, tail)
    assert not (trained & held_out).any()
    assert bank.known_at[trained].max() <= bank.rows[held_out.any(axis=1)].min()
    assert bank.known_at[held_out].max() <= 330


def test_validation_tail_is_capped():
    settings = TrainingSettings(validation_sessions=25)
    train, tail = split_fold(Fold(0, 3000, 1000, 3000, 3100), 30, settings)
    assert (train.first_row, train.last_known, tail.first_row) == (1000, 2975, 2975)

"""A study on disk: one search at a time, and what a stopped one left is taken up again."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from fingru.errors import ConfigError, StoreError
from fingru.store.files import lock_file, storage_error

if TYPE_CHECKING:
    import optuna

DATABASE = "tuning.sqlite"
_BUSY_TIMEOUT_S = 60.0
_NAME = re.compile(r"\w[\w.-]{0,99}")


def study_name(name: str) -> str:
    """Return the name, which becomes a part of file names, or refuse it.

    Raises
    ------
    ConfigError
        If it is anything but letters, digits, ``_``, ``.`` and ``-``, or over 100 of them.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a study",
            "use up to 100 letters, digits, _, . and -, the first one a letter or digit",
        )
    return name


@contextmanager
def opened_study(
    root: Path, name: str, identity: str, present: dict[str, Any]
) -> Iterator[optuna.Study]:
    """Open or start a study and hold it; the present settings are its first trial, to be beaten.

    Parameters
    ----------
    root
        Folder of the runs; the database of all its studies is in it.
    name
        Of the study.
    identity
        Hash of what it is about; the same name with another one is refused.
    present
        Settings in use now.

    Raises
    ------
    StoreError
        If the database cannot be used, or another search holds the study.
    ConfigError
        If the study was about something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    busy = f"another search works on study {name!r} in {root}"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, "create", root) from error
    try:
        with lock_file(root / f".{name}.study.lock", 0.0, busy):
            storage = _storage(root)
            try:
                yield _taken_up(storage, name, identity, present)
            finally:
                storage.remove_session()
                storage.engine.dispose()
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise StoreError(
            f"the studies in {root / DATABASE} cannot be used: {error}",
            "check that the folder is writable, or choose another with --runs",
        ) from error


def _storage(root: Path) -> optuna.storages.RDBStorage:
    """Open the database of the studies; one process at a time makes its tables."""
    import optuna

    url = f"sqlite:///{root / DATABASE}"
    waiting = {"connect_args": {"timeout": _BUSY_TIMEOUT_S}}
    with lock_file(root / ".tuning.lock", _BUSY_TIMEOUT_S, f"another search starts in {root}"):
        return optuna.storages.RDBStorage(url, engine_kwargs=waiting)


def _taken_up(
    storage: optuna.storages.RDBStorage, name: str, identity: str, present: dict[str, Any]
) -> optuna.Study:
    """Load or create the study; no living process works on it, so running trials were cut short.

    Those are failed and leave no trace in what follows: the sampler sees ended trials alone and is
    seeded by their number, so it asks for the same settings again.
    """
    import optuna

    study = optuna.create_study(
        storage=storage, study_name=name, direction="minimize", load_if_exists=True
    )
    known = study.user_attrs.get("identity")
    if known is None:
        study.set_user_attr("identity", identity)
    elif known != identity:
        raise ConfigError(
            f"study {name!r} was started with other data, settings or search keys",
            "give it another name with --study, or repeat the first call",
        )
    state = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        if trial.state == state.RUNNING:
            study.tell(trial.number, state=state.FAIL)
    begun = (state.COMPLETE, state.PRUNED, state.WAITING)
    if not any(trial.state in begun for trial in trials):
        study.enqueue_trial(present)
    return study


def sampler(seed: int) -> optuna.samplers.BaseSampler:
    """Tree-structured Parzen estimator that decides one trial, by the seed and ended trials."""
    import optuna

    with warnings.catch_warnings():  # multivariate TPE is marked experimental, and chosen here
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=8)


def with_value(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that were scored, the earliest first."""
    import optuna

    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that count: with a value, or with settings that cannot work."""
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)

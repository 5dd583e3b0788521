"""A study on disk: one search at a time; a stopped one is resumed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from fingru.errors import ConfigError, StoreError, masked
from fingru.store.database import CONNECT_TIMEOUT_S, open_url, writing
from fingru.store.files import explained, lock_file
from fingru.store.home import is_postgres, parse_url

if TYPE_CHECKING:
    import optuna

DATABASE = "tuning.sqlite"
_SCHEMA = "fingru_studies"
_BUSY_TIMEOUT_S = 60.0
_NAME = re.compile(r"\w[\w.-]{0,99}")


def study_name(name: str) -> str:
    """Return the name, or raise a ``ConfigError`` if it cannot be a part of file names."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a study",
            "use up to 100 letters, digits, _, . and -, the first one a letter or digit",
        )
    return name


@contextmanager
def opened_study(
    root: Path, name: str, identity: str, present: dict[str, Any], url: str | None = None
) -> Iterator[optuna.Study]:
    """Open or start a study and lock it; its first trial are the current settings (``present``).

    ``root`` is the folder of the runs, ``url`` the database of the store (None: a file in
    ``root``), ``identity`` a hash of data, settings and search keys.

    Raises ``StoreError`` if the database cannot be used, or another search holds the study;
    ``ConfigError`` if the study has another identity.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    busy = f"another search works on study {name!r} in {root}"
    with explained("create", root):
        root.mkdir(parents=True, exist_ok=True)
    try:
        with (
            lock_file(root / f".{name}.study.lock", 0.0, busy),
            _storage(root, url) as storage,
        ):
            yield _resumed(storage, name, identity, present)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise StoreError(
            f"the studies in {root / DATABASE if url is None else masked(url)} cannot be used: "
            f"{error}",
            "check that it can be written, or choose another with --runs",
        ) from error


@contextmanager
def _storage(root: Path, url: str | None) -> Iterator[optuna.storages.RDBStorage]:
    """Open the database of the studies; one process at a time makes its tables.

    It is a file beside the SQLite file, or a schema of its own in PostgreSQL: Optuna's tables and
    the ledger's share names.
    """
    import optuna

    arguments: dict[str, Any] = {"timeout": _BUSY_TIMEOUT_S}
    parsed = None if url is None else parse_url(url)
    if parsed is None:
        address = f"sqlite:///{root / DATABASE}"
    elif is_postgres(parsed):
        with writing(open_url(parsed)) as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
        address = parsed.render_as_string(hide_password=False)
        arguments = {"options": f"-csearch_path={_SCHEMA}", "connect_timeout": CONNECT_TIMEOUT_S}
    else:
        address = f"sqlite:///{Path(str(parsed.database)).with_name(DATABASE)}"
    with lock_file(root / ".tuning.lock", _BUSY_TIMEOUT_S, f"another search starts in {root}"):
        storage = optuna.storages.RDBStorage(address, engine_kwargs={"connect_args": arguments})
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def copy_studies(root: Path, url: str | None, to: str) -> int:
    """Copy the studies that another database lacks; returns how many there are in all.

    Raises ``StoreError`` if one of the databases cannot be used.
    """
    import optuna

    if url is None and not (root / DATABASE).exists():
        return 0
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with _storage(root, url) as source, _storage(root, to) as target:
            there = {study.study_name for study in target.get_all_studies()}
            names = [study.study_name for study in source.get_all_studies()]
            for name in names:
                if name not in there:
                    optuna.copy_study(from_study_name=name, from_storage=source, to_storage=target)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise StoreError(
            f"the studies of {root} cannot be copied to {masked(to)}: {error}", "check both"
        ) from error
    return len(names)


def _resumed(
    storage: optuna.storages.RDBStorage, name: str, identity: str, present: dict[str, Any]
) -> optuna.Study:
    """Load or create the study, which this process has locked: its running trials were cut short.

    These are marked as failed and have no effect: the sampler sees only ended trials and is seeded
    by their number, so it suggests the same settings again.
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
    """Tree-structured Parzen estimator for one trial, decided by the seed and ended trials."""
    import optuna

    with warnings.catch_warnings():  # multivariate TPE is marked experimental
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=8)


def with_value(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Scored trials, the earliest first."""
    import optuna

    return study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))


def ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that count: scored ones, and those whose settings cannot work."""
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)

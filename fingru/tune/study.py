"""A study on disk: one search at a time, and what a stopped one left is taken up again."""

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
from fingru.store.files import lock_file, storage_error
from fingru.store.home import is_postgres, parse_url

if TYPE_CHECKING:
    import optuna
    from sqlalchemy.engine import URL

DATABASE = "tuning.sqlite"
_SCHEMA = "fingru_studies"
_BUSY_TIMEOUT_S = 60.0
_NAME = re.compile(r"\w[\w.-]{0,99}")


def study_name(name: str) -> str:
    """Return the name, which becomes a part of file names, or refuse it.

    Raises ``ConfigError`` if it is anything but letters, digits, ``_``, ``.`` and ``-``, or over
    100 of them.
    """
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
    url
        Database URL of the store; None for files in ``root``.

    Raises ``StoreError`` if the database cannot be used, or another search holds the study;
    ``ConfigError`` if the study was about something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    busy = f"another search works on study {name!r} in {root}"
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, "create", root) from error
    try:
        with (
            lock_file(root / f".{name}.study.lock", 0.0, busy),
            _storage(root, url) as storage,
        ):
            yield _taken_up(storage, name, identity, present)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise StoreError(
            f"the studies in {root / DATABASE if url is None else masked(url)} cannot be used: "
            f"{error}",
            "check that it can be written, or choose another with --runs",
        ) from error


@contextmanager
def _storage(root: Path, url: str | None) -> Iterator[optuna.storages.RDBStorage]:
    """Open the database of the studies; one process at a time makes its tables.

    Beside an SQLite file it is a file of its own, in PostgreSQL a schema of its own: Optuna's
    tables have names that the ledger's have too.
    """
    import optuna

    arguments: dict[str, Any] = {"timeout": _BUSY_TIMEOUT_S}
    if url is None:
        place = f"sqlite:///{root / DATABASE}"
    else:
        parsed = parse_url(url)
        if is_postgres(parsed):
            _make_schema(parsed)
            place = parsed.render_as_string(hide_password=False)
            arguments = {
                "options": f"-csearch_path={_SCHEMA}",
                "connect_timeout": CONNECT_TIMEOUT_S,
            }
        else:
            place = f"sqlite:///{Path(str(parsed.database)).with_name(DATABASE)}"
    with lock_file(root / ".tuning.lock", _BUSY_TIMEOUT_S, f"another search starts in {root}"):
        storage = optuna.storages.RDBStorage(place, engine_kwargs={"connect_args": arguments})
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _make_schema(url: URL) -> None:
    with writing(open_url(url)) as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")


def copy_studies(root: Path, url: str | None, to: str) -> int:
    """Copy every study of a store that another one has not, and return how many it has then.

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

"""A password in the URL of the store is in nothing that fingru writes or says."""

from __future__ import annotations

import json

import pytest

from fingru.config import load_config, make_config, to_toml, with_values
from fingru.errors import StoreError, masked
from fingru.store.settings import URL_VARIABLE

SECRET = "Pl4nted-S3cret"
IN_QUERY = "0ther-S3cret"


@pytest.fixture
def url(tmp_path):
    """SQLite takes no password: one is planted where only the address is read."""
    return f"sqlite:///{tmp_path / 'store.sqlite'}?password={IN_QUERY}"


def texts(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://me:S@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg://me:S@h:5432/db?x=1", "postgresql+psycopg://me:***@h:5432/db?x=1"),
        ("postgresql://me:S@S@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:S S@host/db", "postgresql://me:***@host/db"),
        ("postgresql://:S@host/db", "postgresql://:***@host/db"),
        ("postgresql://host/db?user=me&password=S", "postgresql://host/db?user=me&password=***"),
        ("host=h sslpassword=S user=me", "host=h sslpassword=*** user=me"),
        ("no 'postgresql://me:S@h/db' there", "no 'postgresql://me:***@h/db' there"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("http://127.0.0.1:8501", "http://127.0.0.1:8501"),
        ("AAPL=0.1, a@b", "AAPL=0.1, a@b"),
    ],
)
def test_passwords_are_hidden_wherever_they_stand(text, hidden):
    text = text.replace("S", SECRET)
    assert masked(text) == hidden
    assert masked(hidden) == hidden
    assert str(StoreError(text, text)) == f"{hidden}: {hidden}"


def test_settings_show_the_password_in_no_form_but_keep_it():
    url = f"postgresql://me:{SECRET}@host/db"
    config = load_config(None, [f"store.url={url}"])
    shown = (repr(config), str(config), config.model_dump_json(), to_toml(config),
             json.dumps(config.model_dump(mode="json")))  # fmt: skip
    for text in shown:
        assert SECRET not in text
    assert with_values(config, {"seed": 3}).store.url == url
    assert config.store.url == url


def test_a_url_stored_without_its_password_is_completed_by_the_environment(monkeypatch, tmp_path):
    from fingru.store.database import open_database

    url = f"postgresql://me:{SECRET}@host/db"
    stored = load_config(None, [f"store.url={url}"]).model_dump(mode="json")
    with pytest.raises(StoreError, match=URL_VARIABLE):
        open_database(tmp_path, make_config(stored).store.url)
    monkeypatch.setenv(URL_VARIABLE, f"postgresql://me:{SECRET}@other/db")
    assert make_config(stored).store.url == masked(url)
    monkeypatch.setenv(URL_VARIABLE, url)
    assert make_config(stored).store.url == url
    assert make_config({}).store.url == url


def test_unset_means_the_file_beside_the_runs(monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, "")
    assert make_config({}).store.url is None


def test_nothing_written_or_said_by_any_command_holds_a_password(
    fingru, small, tmp_path, monkeypatch, two_runs
):
    monkeypatch.delenv("FINGRU_TRACEBACK")
    secret = f"postgresql://me:{SECRET}@127.0.0.1:1/db"
    answers = [
        fingru("backtest", "--config", small, "--set", f"store.url={secret}"),
        fingru("backtest", "--config", small, "--set", f"store.url={secret}:port"),
        fingru("backtest", "--config", small, "--set", f"store.ulr={secret}"),
        fingru("backtest", "--config", small, "--set", f'store.url=["{secret}"]'),
        fingru("backtest", "--config", small, "--data", secret),
        fingru("train", "--config", small, "--set", f"store.url={secret}", "--json"),
    ]
    assert [answer.code for answer in answers] == [2, 2, 2, 2, 2, 0]
    monkeypatch.setenv(URL_VARIABLE, secret)
    model = answers[-1].document["path"]
    answers += [
        fingru("runs", "list", "--runs", two_runs[0]),
        fingru("runs", "show", two_runs[1][0], "--runs", two_runs[0], "--json"),
        fingru("predict", "--model", model, "--json"),
        fingru("predict"),
        fingru("models", "list"),
        fingru("retrain", "--once", "--config", small),
    ]
    written = texts(tmp_path)
    assert any(path.name == "job.json" for path in written)
    for content in [*written.values(), *(f"{a.out}{a.err}".encode() for a in answers)]:
        assert SECRET.encode() not in content


def test_a_run_that_an_earlier_fingru_stored_with_its_password_is_shown_without(
    fingru, two_runs, tmp_path
):
    import shutil

    from fingru.store.strict_json import plain_sha256

    runs, ids = two_runs
    shutil.copytree(runs / ids[0], tmp_path / "runs" / ids[0])
    path = tmp_path / "runs" / ids[0] / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["config"]["store"]["url"] = f"postgresql://me:{SECRET}@host/db"
    del manifest["seal"]
    manifest["seal"] = plain_sha256(manifest)
    path.write_text(json.dumps(manifest))
    shown = fingru("runs", "show", ids[0], "--runs", "runs", "--json")
    page = fingru("report", ids[0], "--runs", "runs", "--output", "page.html")
    assert (shown.code, page.code, shown.err) == (0, 0, "")
    assert shown.document["status"] == "done"
    for text in (shown.out, (tmp_path / "page.html").read_text()):
        assert SECRET not in text
        assert "postgresql://me:***@host/db" in text

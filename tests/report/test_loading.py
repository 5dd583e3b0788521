import json

import pandas as pd
import pytest

from fingru.errors import StoreError
from fingru.report.loading import load_result


@pytest.fixture
def folder(result, run_writer, tmp_path):
    return run_writer(result, tmp_path / "20240102-030405-test")


def test_loaded_result_equals_the_written_one(result, folder):
    loaded = load_result(folder)
    of_the_folder = {key: loaded.manifest[key] for key in ("sha256", "seal")}
    assert loaded.manifest == {**result.manifest, **of_the_folder}
    assert loaded.metrics == result.metrics
    for name in ("forecasts", "weights", "trades", "equity", "training"):
        pd.testing.assert_frame_equal(
            getattr(loaded, name), getattr(result, name), check_dtype=False, check_index_type=False
        )


def test_unfinished_run_is_refused_with_the_way_to_finish_it(folder):
    manifest = json.loads((folder / "manifest.json").read_text()) | {"status": "interrupted"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=r"interrupted.*--resume 20240102-030405-test"):
        load_result(folder)


@pytest.mark.parametrize("name", ["equity.parquet", "metrics.json", "training.parquet"])
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(StoreError, match=name):
        load_result(folder)


def test_missing_column_is_named(result, folder):
    result.equity.drop(columns="drawdown").to_parquet(folder / "equity.parquet")
    with pytest.raises(StoreError, match=r"equity.parquet has no column drawdown"):
        load_result(folder)

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap

import pytest

from fingru import atomic
from fingru.errors import StoreError
from fingru.store.files import exclusive, read_bytes, sha256_of_file, write_bytes_atomic


def failing(code):
    def fail(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    return fail


def test_write_makes_missing_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_bytes_atomic(path, b"old")
    write_bytes_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "word"),
    [(errno.ENOSPC, "full"), (errno.EROFS, "read-only"), (errno.EACCES, "permissions")],
)
def test_refused_write_keeps_the_old_file_and_says_why(tmp_path, monkeypatch, step, code, word):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(atomic.os, step, failing(code))
    with pytest.raises(StoreError, match=word) as caught:
        write_bytes_atomic(path, b"new")
    assert str(path) in caught.value.problem
    assert caught.value.mend
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full device")  # noqa: PTH110
def test_write_on_a_really_full_device_is_reported(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_to_full_device(_path, content):
        with open("/dev/full", "wb", buffering=0) as stream:  # noqa: PTH123
            stream.write(content)

    monkeypatch.setattr(atomic, "_write_and_flush", write_to_full_device)
    with pytest.raises(StoreError, match="disk is full"):
        write_bytes_atomic(path, b"new")
    assert path.read_bytes() == b"old"


def test_process_killed_before_the_rename_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = f"""
        import os, signal
        from pathlib import Path
        from fingru import atomic
        atomic.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        atomic.write_bytes_atomic(Path({str(path)!r}), b"new")
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=300
    )
    assert ended.returncode == -9
    assert path.read_bytes() == b"old"
    leftovers = [p.name for p in tmp_path.iterdir() if p != path]
    assert len(leftovers) == 1
    assert leftovers[0].startswith(".file.")
    assert leftovers[0].endswith(atomic.TEMPORARY_SUFFIX)


def test_keyboard_interrupt_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_atomic(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="choose another folder with --runs"):
        write_bytes_atomic(tmp_path / "file" / "inner", b"x")


def test_reading_what_is_not_there_names_the_path(tmp_path):
    with pytest.raises(StoreError, match=r"nothing\.bin does not exist"):
        read_bytes(tmp_path / "nothing.bin")


def test_sha256_of_the_published_example(tmp_path):
    # FIPS 180-2, appendix B.1
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of_file(tmp_path / "abc") == expected


def test_exclusive_lets_one_process_in_at_a_time(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    script = f"""
        from pathlib import Path
        from fingru.store.files import exclusive
        counter = Path({str(counter)!r})
        for _ in range(100):
            with exclusive(counter.parent):
                counter.write_text(str(int(counter.read_text()) + 1))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    workers = [subprocess.Popen(command) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert counter.read_text() == "200"


def test_exclusive_on_a_missing_folder_is_a_store_error(tmp_path):
    with pytest.raises(StoreError, match="cannot open"), exclusive(tmp_path / "nothing"):
        pass

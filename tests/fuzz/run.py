"""Look for inputs that break fingru: ``python tests/fuzz/run.py --minutes 3``.

Cases run in a process of their own, which is replaced when it dies or does not answer. What failed
is kept in ``found/<kind>-<seed>/``: ``problem.txt``, and the files the case had made. To repeat
one: ``--repeat KIND SEED``. Exit 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
FOUND = ROOT / "tests" / "fuzz" / "found"
MEMORY = 12 << 30
HANG_S = 90.0


def main() -> int:
    """Run cases until the time is over."""
    arguments = _arguments()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="fingru-fuzz-") as scratch:
        os.environ["FINGRU_FUZZ_STORED"] = str(Path(scratch) / "stored")
        if arguments.repeat:
            return _repeat(arguments.repeat[0], int(arguments.repeat[1]), Path(scratch))
        return _search(arguments, Path(scratch))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=None, help="of the first case; else the clock")
    parser.add_argument("--only", help="kinds of cases, comma-joined")
    parser.add_argument("--repeat", nargs=2, metavar=("KIND", "SEED"))
    return parser.parse_args()


def _repeat(kind: str, seed: int, scratch: Path) -> int:
    from tests.fuzz.cases import run_case
    from tests.fuzz.stored_files import make_stored

    if kind == "stored_files":
        make_stored(scratch / "stored")
    run_case(kind, seed, scratch / "case")
    sys.stdout.write("nothing broke\n")
    return 0


def _search(arguments: argparse.Namespace, scratch: Path) -> int:
    from tests.fuzz.cases import SHARES

    end = time.monotonic() + 60 * arguments.minutes
    kinds = arguments.only.split(",") if arguments.only else list(SHARES)
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    draw, done, failures = Random(seed), Counter(), []
    worker = _Worker(scratch, "stored_files" in kinds)
    while time.monotonic() < end:
        (kind,) = draw.choices(kinds, [SHARES[k] for k in kinds])
        problem = worker.run(kind, seed)
        done[kind] += 1
        if problem:
            failures.append(f"{kind} {seed}")
            _keep(kind, seed, problem, worker.folder)
            sys.stdout.write(f"{kind} {seed}: {_last_line(problem)}\n")
            sys.stdout.flush()
        seed += 1
    worker.stop()
    counts = ", ".join(f"{n} {kind}" for kind, n in sorted(done.items()))
    sys.stdout.write(f"{counts}; {len(failures)} failed, last seed {seed - 1}\n")
    return 1 if failures else 0


def _last_line(problem: str) -> str:
    lines = [line for line in problem.splitlines() if "Error" in line] or problem.splitlines()
    return lines[-1].strip()[:200]


def _keep(kind: str, seed: int, problem: str, folder: Path) -> None:
    kept = FOUND / f"{kind}-{seed}"
    shutil.rmtree(kept, ignore_errors=True)
    if folder.exists():
        shutil.copytree(folder, kept, symlinks=True, dirs_exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "problem.txt").write_text(problem, encoding="utf-8", errors="backslashreplace")


class _Worker:
    """The process that runs cases, started anew when it does not answer."""

    def __init__(self, scratch: Path, stored: bool) -> None:
        self.folder = scratch / "case"
        self._scratch, self._stored = scratch, stored
        if stored:
            _in_process(_make, scratch / "stored")
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, self.folder), daemon=True)
        self._process.start()
        there.close()

    def run(self, kind: str, seed: int) -> str:
        """The problem of a case, empty if there is none."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._here.send((kind, seed))
        try:
            if self._here.poll(HANG_S):
                return str(self._here.recv())
            problem = f"no answer within {HANG_S:g} s"
        except (EOFError, ConnectionError):
            self._process.join()
            problem = f"the process died with {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        self._start()
        return problem

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _in_process(target, *arguments) -> None:
    process = get_context("spawn").Process(target=target, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{target.__name__} left with {process.exitcode}")


def _make(folder: Path) -> None:
    from tests.fuzz.stored_files import make_stored

    make_stored(folder)


def _serve(answers: Connection, folder: Path) -> None:
    """Run the cases that are asked for, in little memory."""
    import resource

    from tests.fuzz.cases import run_case

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    while True:
        kind, seed = answers.recv()
        try:
            run_case(kind, seed, folder)
            answers.send("")
        except BaseException as error:  # noqa: BLE001 - everything is a finding
            told = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            answers.send(told or repr(error))


if __name__ == "__main__":
    sys.exit(main())

"""The other packages, in an environment of their own, and the processes that run them.

``benchmarks/.peers/venv`` is made on first use (minutes; needs the package index) and kept. A
package that cannot be installed or started is reported by name and reason, and nothing else fails.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from contextlib import ExitStack
from pathlib import Path

from results import ROOT, told
from rounds import Figures

HERE = Path(__file__).parent
CACHE = HERE / ".peers"
PYTHON = CACHE / "venv" / "bin" / "python"
REQUIREMENTS = HERE / "requirements-peers.txt"


class PeerMissingError(Exception):
    """A peer cannot be measured; the message says why."""


class Peer:
    """A process that measures one round each time it is asked; see ``peer_workers.py``."""

    def __init__(self, name: str, folder: Path) -> None:
        self._log = (CACHE / f"{name}.log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [str(PYTHON), str(HERE / "peer_workers.py"), name, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self.ready = self._answer()

    def __call__(self) -> Figures:
        """Measure one round."""
        assert self._process.stdin is not None
        print("go", file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Figures:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.close()
            said = Path(self._log.name).read_text(encoding="utf-8").strip().splitlines()
            raise PeerMissingError(said[-1] if said else "it ended without a word")
        answer: Figures = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._log.close()


def start(
    stack: ExitStack, names: list[str], folder: Path
) -> tuple[dict[str, Peer], dict[str, str]]:
    """Start these peers; those that run, and why the others do not."""
    running: dict[str, Peer] = {}
    absent: dict[str, str] = {}
    installed = install()
    for name in names:
        failed = [w for p, w in installed.items() if name.startswith(p) and not w[:1].isdigit()]
        if failed:
            absent[name] = failed[0]
            continue
        try:
            running[name] = Peer(name, folder)
            stack.callback(running[name].close)
        except (PeerMissingError, OSError) as reason:
            absent[name] = str(reason)
    return running, absent


def install() -> dict[str, str]:
    """Version of every peer by name, or why it could not be installed; works once, then reads."""
    wanted = [line for line in REQUIREMENTS.read_text().splitlines() if line[:1].isalpha()]
    state = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()
    stamp = CACHE / "installed.json"
    if stamp.is_file():
        kept: dict[str, str] = json.loads(stamp.read_text())
        if kept.pop("state") == state:
            return kept
    told("making benchmarks/.peers/venv, once; some minutes")
    shutil.rmtree(CACHE / "venv", ignore_errors=True)
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    venv.create(CACHE / "venv", with_pip=True)
    found = {line.split(">")[0].lower(): _installed(line) for line in wanted}
    stamp.write_text(json.dumps(found | {"state": state}))
    return found


def _installed(requirement: str) -> str:
    """Install one package, if possible with fingru's own versions of what both need."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    said = ""
    for constraints in (["-c", str(ROOT / "constraints.txt")], []):
        done = subprocess.run(
            [*pip, *constraints, requirement], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return _version(requirement.split(">")[0])
        errors = [x for x in done.stderr.splitlines() if x.startswith("ERROR: ")]
        said = errors[-1].removeprefix("ERROR: ") if errors else f"pip exits {done.returncode}"
    return f"cannot be installed: {said}"


def _version(package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [str(PYTHON), "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()

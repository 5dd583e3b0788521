"""The command line: parse, call, print; a few lines per command.

Exit codes: 0 done, 1 done with warnings where a command says so, 2 bad input or usage, 3 leak
found, 4 interrupted but resumable, 5 promotion refused. Messages, progress and warnings go to
stderr; with ``--json`` stdout holds one JSON document and nothing else.
"""

from __future__ import annotations


def main() -> None:
    """Run the ``fingru`` command."""
    from fingru.cli.app import run

    run()

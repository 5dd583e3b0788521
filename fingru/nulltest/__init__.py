"""Whether the whole procedure finds more than it finds where nothing can be found."""

from fingru.nulltest.outcome import render
from fingru.nulltest.procedure import null_test

__all__ = ["null_test", "render"]

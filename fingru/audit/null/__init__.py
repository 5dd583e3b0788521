"""Whether the whole procedure finds more than it finds where nothing can be found."""

from fingru.audit.null.outcome import render
from fingru.audit.null.procedure import null_test

__all__ = ["null_test", "render"]

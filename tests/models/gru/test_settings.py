"""Settings refuse what cannot be trained, and load without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from fingru.models.gru.settings import TrainingSettings


def test_burn_in_as_long_as_the_sequence_is_refused():
    with pytest.raises(ValidationError, match="burn_in must be shorter"):
        TrainingSettings(seq_len=50, burn_in=50)


def test_context_shorter_than_burn_in_is_refused():
    with pytest.raises(ValidationError, match="context_bars"):
        TrainingSettings(context_bars=100, burn_in=126)


def test_importing_settings_loads_no_torch():
    code = "import sys, fingru.models.gru.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=300).returncode == 0

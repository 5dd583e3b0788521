"""The typed configuration of a whole job: the settings of every room, composed.

Read from TOML (``--config FILE``), then ``--set section.key=value``, then the flags of the command
line. Unknown keys, wrong types and values out of range are refused with the nearest right name,
or with what is allowed.
"""

from fingru.config.reading import (
    load_config,
    make_config,
    nested,
    smaller,
    to_toml,
    to_toml_text,
    with_values,
)
from fingru.config.sections import (
    Config,
    DataSettings,
    LeakCheckSettings,
    NullTestSettings,
    RetrainSettings,
    StrategySettings,
)

__all__ = [
    "Config",
    "DataSettings",
    "LeakCheckSettings",
    "NullTestSettings",
    "RetrainSettings",
    "StrategySettings",
    "load_config",
    "make_config",
    "nested",
    "smaller",
    "to_toml",
    "to_toml_text",
    "with_values",
]

"""Small damage: to bytes, to text, to values of JSON."""

from __future__ import annotations

import json
from random import Random
from typing import Any

HOSTILE = (
    None, True, False, 0, -1, 1, 2, 10**18, -(10**18), 10**400, 0.5, -0.0, 1e-320, 1e308,
    -1e308, float("nan"), float("inf"), float("-inf"), "", " ", "nan", "x", "0", "1e400",
    "../../evil", "/", "a\x00b", "\ud7ff\u202e", "ä" * 300, "sample:us_stocks",
    "2020-13-45", "1970-01-01", "9999-12-31",
    [], {}, [[]], [None], [0], [1, 1], [-1], ["x"], {"a": 1}, [10**9], list(range(300)),
)  # fmt: skip
"""Values that no setting and no stored field can all bear."""

CELLS = (
    "", "-", "n/a", "NaN", "inf", "-inf", "0", "-1", "1e308", "1e-308", "1e999", "9" * 400, "0x1F",
    "1,234.5", "1.234,5", "1'234", "$5", "5%", "(5)", "+-5", "--5", "١٢", "½", "null", "None",
    "true", "#REF!", "=1+1", '"', '"a', "a\nb", "\x00", "\ufeff", "2020-02-30", "0000-00-00",
    "9999-12-31", "31/12/2020", "12/31/2020", "2020-01-01T00:00:00Z", "2020-01-01 25:00", "44000",
    "1577836800", "1577836800000", "1577836800000000000", "-62135596800", "20200101",
    "Jan 5, 2020", "1.5.2020",
)  # fmt: skip
"""Texts that stand in real price files, or should not."""


def damage_bytes(rng: Random, content: bytes) -> bytes:
    """One kind of damage that disks, networks and editors do."""
    size = len(content)
    a, b = sorted((rng.randint(0, size), rng.randint(0, size)))
    kind = rng.randrange(8)
    if kind == 0 and size:
        flipped = bytearray(content)
        for _ in range(rng.choice((1, 1, 3, 30))):
            flipped[rng.randrange(size)] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if kind == 1:
        return content[:a]
    if kind == 2:
        return content[:a] + content[b:]
    if kind == 3:
        return content[:a] + content[a : min(b, a + 5000)] * 2 + content[b:]
    if kind == 4:
        return content[:a] + rng.randbytes(rng.randint(1, 40)) + content[a:]
    if kind == 5:
        return content[:a] + b"\x00" * (b - a) + content[b:]
    if kind == 6:
        return rng.choice((b"", b"\x00", b"\n", b"null", b"{}", b"[]", b"\xff\xfe", b"PAR1"))
    return content + content[a:b]


def damage_json(rng: Random, text: str) -> str:
    """One field of a JSON document gone, or of another kind."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if rng.random() < 0.1:
        return _written(rng.choice(HOSTILE))
    places = list(_places(document))
    if places:
        holder, key = rng.choice(places)
        if rng.random() < 0.25:
            del holder[key]
        else:
            holder[key] = rng.choice(HOSTILE)
    return _written(document)


def _places(value: Any):
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


def _written(value: Any) -> str:
    return json.dumps(value)

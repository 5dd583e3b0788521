"""Ids of stored things, completed from a prefix."""

from __future__ import annotations

from collections.abc import Sequence

from fingru.errors import FingruError, StoreError, did_you_mean, first_few


def complete_id(
    text: str,
    known: Sequence[str],
    *,
    kind: str,
    place: object,
    none_yet: str,
    error: type[FingruError] = StoreError,
) -> str:
    """The id in ``known`` (oldest first) that is ``text``, or the only one that begins with it.

    Raises ``error`` if none or several fit; the message says which ``kind`` of thing was looked
    for in which ``place``, names the nearest ids, and gives ``none_yet`` where there are none.
    """
    if text in known:
        return text
    matching = [name for name in known if text and name.startswith(text)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise error(
            f"{text!r} is the beginning of {len(matching)} {kind}s in {place}: "
            f"{first_few(matching)}",
            "give more of the id",
        )
    near = did_you_mean(text, known, most=3, cutoff=0.5).strip()
    latest = f"the latest are {first_few(known[::-1])}" if known else none_yet
    raise error(f"there is no {kind} {text!r} in {place}", near or latest)

"""Well-formed inputs that are absurd: one value in the tree of an input is replaced.

Law: the same input and the same number give the same; what has no tree stays as it is.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import yaml

_ABSURD: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, 1e308, -0.0, 10**400, -(10**400), 1 << 63, float("nan"), float("inf")),
    *(
        "",
        "NaN",
        "+Inf",
        "1e999",
        "\x1b[2J",
        "\ud800",
        "\u202e",
        "x" * 600,
        "2023-11-14T22:13:20Z",
        "0001-01-01T00:00Z",
    ),
    *([], {}, [[]], {"": {}}, [None] * 40),
)


def spoiled(value: Any, number: int) -> Any:
    """The value with one part of it replaced: by something absurd, or by another part."""
    chance, whole = random.Random(number), [value]
    places = list(_places(whole))
    (holder, key), (other, name) = chance.choice(places), chance.choice(places)
    holder[key] = chance.choice([*_ABSURD, copy.deepcopy(other[name])])
    return whole[0]


def spoil_yaml(data: bytes, number: int) -> bytes:
    """A YAML text of such a value."""
    try:
        value = yaml.load(data, Loader=yaml.CSafeLoader)
        return yaml.dump(spoiled(value, number), Dumper=_Dumper, sort_keys=False, encoding="utf-8")
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError):
        return data


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Writes the same value twice: aliases are refused at once."""
        return True


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Each value as what holds it, and its key or index there."""
    for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
        yield holder, key
        if isinstance(value, dict | list):
            yield from _places(value)

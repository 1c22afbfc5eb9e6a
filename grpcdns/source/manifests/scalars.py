"""What a YAML scalar means to kubectl: text, a number, a boolean or nothing.

kubectl reads YAML with sigs.k8s.io/yaml, which uses go.yaml.in/yaml/v2: the core schema of YAML 1.2
with some of 1.1. ``resolve`` does what that library's function of the same name does (resolve.go);
``tests/differential/test_manifests.py`` compares the two.

    yes no on off y n          booleans, as in YAML 1.1
    22:30, 52:54:00:12:34:56   text: there are no integers of base 60
    =, <<                      text (``<<`` as a key merges)
    2026-01-01                 text: a date becomes one
    017 0o17 0x1f 0b11 1_000   integers
"""

from __future__ import annotations

import base64
import re
import struct
from datetime import datetime
from typing import Final

Scalar = str | int | float | bool | None

_PREFIX: Final = "tag:yaml.org,2002:"
STR: Final = _PREFIX + "str"
BOOL: Final = _PREFIX + "bool"
INT: Final = _PREFIX + "int"
FLOAT: Final = _PREFIX + "float"
NULL: Final = _PREFIX + "null"
TIMESTAMP: Final = _PREFIX + "timestamp"
BINARY: Final = _PREFIX + "binary"
MERGE: Final = _PREFIX + "merge"

_RESOLVED: Final = frozenset({STR, BOOL, INT, FLOAT, NULL, TIMESTAMP})
"""Tags that say what a scalar must be; any other leaves it text."""

_WORDS: Final[dict[str, tuple[str, Scalar]]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"), (BOOL, True)),
    **dict.fromkeys(("on", "On", "ON"), (BOOL, True)),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE"), (BOOL, False)),
    **dict.fromkeys(("off", "Off", "OFF"), (BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (FLOAT, float("nan"))),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (FLOAT, float("inf"))),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (FLOAT, float("-inf"))),
}

HINTS: Final = frozenset("+-0123456789yYnNtTfFoO~.")
"""The first characters of what may be something else than text; the empty scalar is nothing."""

_INT: Final = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|(0[0-7]*)|([1-9][0-9]*))"
)
_BASES: Final = (16, 2, 8, 8, 10)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT: Final = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_DATE: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2}))"
    r"|(?: ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?))?"
)
_BASE64: Final = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII
)
_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")
_INT64: Final = 1 << 63
_UINT64: Final = 1 << 64
_WHOLE: Final = 1e21
"""JSON as Go writes it has no exponent below this."""


def resolve(text: str, tag: str = "") -> Scalar:
    """A scalar that is not quoted, or has a tag. Raises ValueError, as the tag cannot be."""
    if tag and tag not in _RESOLVED:
        return _binary(text) if tag == BINARY else text
    found, value = (STR, text) if tag == STR else _guess(text, tag)
    if tag in ("", found, STR):
        return value if found != TIMESTAMP else text
    if tag == FLOAT and found == INT and isinstance(value, int) and value < _INT64:
        return float(value)
    raise ValueError(f"`{text}` is not {tag.removeprefix(_PREFIX)}")


def to_json(value: float) -> Scalar:
    """A float as JSON has it: without a fraction it is an integer. Raises ValueError for what JSON
    has no way to write."""
    if value.is_integer():
        return int(value) if abs(value) < _WHOLE else value
    if value - value != 0:
        raise ValueError(f"JSON has no {value}")
    return value


def key_text(value: Scalar) -> str:
    """A key of a mapping as JSON has it. Raises ValueError for a key that is null."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or (isinstance(value, int) and value >= _INT64):
        raise ValueError(f"a key cannot be {'null' if value is None else value}")
    return str(value) if isinstance(value, int) else _short(value)


def _guess(text: str, tag: str) -> tuple[str, Scalar]:
    if text and text[0] not in HINTS:
        return STR, text
    if (word := _WORDS.get(text)) is not None:
        return word
    if text[0] == ".":
        return _float(text.replace("_", ""), text) if _POINT.fullmatch(text) else (STR, text)
    if text[0] not in "+-0123456789":
        return STR, text
    if tag in ("", TIMESTAMP) and _is_date(text):
        return TIMESTAMP, text
    plain = text.replace("_", "")
    if (number := _integer(plain)) is not None:
        return INT, number
    return _float(plain, text) if _FLOAT.fullmatch(plain) else (STR, text)


def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    year, month, day, *time = (int(part) for part in found.groups() if part)
    try:
        datetime(year, month, day, *time)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def _integer(plain: str) -> int | None:
    """As Go's ParseInt and ParseUint of base 0; None for what does not fit into 64 bits."""
    if plain.startswith(("0b-", "0b+")):  # read, if hardly meant
        plain = plain[2] + "0b" + plain[3:]
    found = _INT.fullmatch(plain)
    if found is None:
        return None
    sign, *digits = found.groups()
    value = next(int(part, base) for part, base in zip(digits, _BASES, strict=True) if part)
    if sign == "-":
        return -value if value <= _INT64 else None
    return value if value < (_INT64 if sign else _UINT64) else None


def _float(plain: str, text: str) -> tuple[str, Scalar]:
    """``plain`` is the text without underscores."""
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        return STR, text
    return FLOAT, value


def _binary(text: str) -> str:
    plain = text.replace("\r", "").replace("\n", "")
    if not _BASE64.fullmatch(plain):
        raise ValueError("!!binary is not base64")
    decoded = base64.b64decode(plain).decode("utf-8", "surrogateescape")
    return _NOT_UTF8.sub("\ufffd", decoded)


def _short(value: float) -> str:
    """As Go's FormatFloat(value, 'g', -1, 32): the fewest digits that are this float32."""
    if value != value:
        return ".nan"
    if abs(value) > _MAX_FLOAT32:
        return ".inf" if value > 0 else "-.inf"
    single = _single(value)
    digits = next(n for n in range(10) if _single(float(f"{single:.{n}e}")) == single)
    written = f"{single:.{digits}e}"
    exponent = int(written.partition("e")[2])
    return written if exponent < -4 or exponent >= 6 else f"{single:.{max(digits - exponent, 0)}f}"


_MAX_FLOAT32: Final = 3.4028235677973366e38


def _single(value: float) -> float:
    single: float = struct.unpack("f", struct.pack("f", value))[0]
    return single

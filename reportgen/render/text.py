"""Text as it may be printed: clean of what no document can hold, numbers and names formatted."""

from __future__ import annotations

import re

from reportgen.errors import RenderError
from reportgen.results import Scalar

MISSING = "–"
MINUS = "\N{MINUS SIGN}"
LEAST_P = 0.001
"""P-values below it are not told exactly: their tests do not hold so far out."""

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WORD = re.compile(r"\S+")


def clean(text: str) -> str:
    """The text without what neither XML nor HTML allows: control characters, lone surrogates.

    Each is replaced by U+FFFD, so that a reader sees that something stood there. Characters that
    turn the direction of what follows are left out; letters know their direction without them.
    """
    return _TURNING.sub("", _UNPRINTABLE.sub("\ufffd", text))


def slug(*names: str) -> str:
    """Names as one id for HTML: lower-case letters, digits and single hyphens."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x" for name in names)


def formatted(value: Scalar, specification: str) -> str:
    """A value as a reader sees it: ``specification`` is of Python's format mini-language.

    None becomes a dash, a truth value yes or no, and a hyphen before digits a minus sign. ``p`` is
    for p-values, of which small ones are only said to be small. Raises RenderError if the
    specification does not fit the value.
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if specification == "p":
        return f"{value:.3f}" if value >= LEAST_P else f"< {LEAST_P}"
    if isinstance(value, float) and specification.endswith("d") and value.is_integer():
        value = int(value)
    try:
        return format(value, specification).replace("-", MINUS)
    except ValueError as error:
        raise RenderError(
            f"The value {value!r} can't be shown with the format {specification!r}: {error}."
        ) from error


def longest_word(text: str) -> int:
    """The number of characters of the longest piece that has no space in it."""
    return max((len(word) for word in _WORD.findall(text)), default=0)

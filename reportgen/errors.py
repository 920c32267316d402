"""Everything that can go wrong, each kind with the exit code it ends the command with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ReportgenError(Exception):
    """The work failed; the message says what was not done. Base of all errors raised on purpose.

    The message is one or two sentences for the user: what, where, what was expected, what to do.
    """

    exit_code = 1


class RequestError(ReportgenError):
    """The request itself was wrong: usage, settings or input. Nothing was started."""

    exit_code = 2


class SettingsError(RequestError):
    """A setting is unknown, of the wrong type or out of range, or its file is broken."""


class DataError(RequestError):
    """A dataset is missing, cut short, empty, or not what its name promises."""


class StoreError(ReportgenError):
    """A stored trial is damaged or can't be read."""


class TrainingError(ReportgenError):
    """A training failed; the message carries the cause as the trainer gave it."""


class RenderError(ReportgenError):
    """The report could not be rendered, in whole or for one of its formats."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelled name: `` Did you mean 'build'?``, or the list of known names."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(sorted(names))}." if names else ""

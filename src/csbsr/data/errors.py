"""The error of everything that is wrong with a data set: it says which file, what is wrong and what to do."""

from __future__ import annotations

from csbsr.words import printable


class DataError(ValueError):
    """A file or folder is not what it should be.

    Takes one text, because an exception from a loader's worker process is rebuilt from its text alone; `about` makes
    that text from its four parts.
    """

    @classmethod
    def about(cls, subject: object, found: str, expected: str, remedy: str) -> DataError:
        """Error on ``subject`` (usually a path) naming what was found, what was expected and the way out."""
        return cls(f"{printable(subject)}: found {found}; expected {expected}. {remedy}")

"""The note of somebody who decides: one line of a bounded length, whatever was typed. Leaves to its callers whether one
is needed."""

from __future__ import annotations

LONGEST_NOTE = 500  # characters


def one_line(note: str) -> str:
    """What was typed with every run of blanks and line ends as one blank, cut to LONGEST_NOTE."""
    return " ".join(note.split())[:LONGEST_NOTE]

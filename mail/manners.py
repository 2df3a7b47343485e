"""PURE: whether a reply asks us to slow down, and how a pace is halved and grows back.

A slowed quantity (messages a minute, lines) is known by three numbers: its level just after the last halving, when
that was, and the most it may grow to. It doubles every DOUBLING seconds until it is whole again, so nothing has to be
written while it grows and all machines agree. mail.pace keeps the numbers; mail.claims says `grown` in SQL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from mail.reasons import classify_reply, find_enhanced
from mail.server_words import WORDS, fold
from models.words import Reason

DOUBLING = 300.0  # seconds in which what was halved has grown back
MOMENT = 10.0  # seconds in which further refusals are of the same burst; nothing of what was slowed leaves meanwhile
SLOWEST = 6.0  # messages a minute below which nothing is halved
FEWEST = 1.0  # lines

_LONGEST = 6000
_ASKS = frozenset({"4.3.2", "4.7.28"})
_CLOSED_IDLE = "4.4.2"  # RFC 3463: the line was too long without a word from us
_GREY = re.compile(r"gr[ae]y[- ]?list|postgrey|liste grise")
_RATE = re.compile(r"\brate\b")
_OTHER_MANY = ("too many hops", "too many received", "too many loops")
_THROTTLED = next(words for reason, words in WORDS if reason is Reason.THROTTLED)
_LINES = ("connection", "connexion", "concurrent", "simultaneous", "sessions")


def slows_down(code: int, text: str) -> bool:
    """Whether a reply (its code and words) asks for fewer messages or connections.

    421, 4.3.2, 4.7.28, or words such as "too many", "rate limit", "trop de messages" in a 4xx; of a 5xx only a greeting
    that says we hold too many connections (554). Never a full box, never greylisting, never a line left idle.
    """
    said = fold(text[:_LONGEST])
    if code >= 500:
        return code == 554 and _says(said) and any(word in said for word in _LINES)
    if code < 400 or _GREY.search(said):
        return False
    enhanced = find_enhanced(said)
    if enhanced == _CLOSED_IDLE or (enhanced and enhanced.endswith(".2.2")):
        return False
    if classify_reply(code, enhanced, text) is Reason.MAILBOX_FULL:
        return False
    return code == 421 or enhanced in _ASKS or _says(said)


def _says(said: str) -> bool:
    if any(other in said for other in _OTHER_MANY):
        return False
    return "too many" in said or bool(_RATE.search(said)) or _THROTTLED.found_in(said)


def grown(level: float, age: float, most: float) -> float:
    """What a level is worth `age` seconds (0 or more) after its halving: never more than `most`."""
    # beyond 2 ** 60 any level is whole; a clock set back has not let it shrink
    return min(most, level * 2.0 ** min(60.0, max(0.0, age) / DOUBLING))


def halved(level: float, floor: float) -> float:
    """Half of a level, but not below the floor, nor above what it was."""
    return min(level, max(floor, level / 2))


def whole_after(level: float, most: float) -> float:
    """Seconds after its halving at which a level is `most` again."""
    return DOUBLING * max(0.0, math.log2(most / level))


def share(total: int, held: int, place: int, others: Sequence[int]) -> int:
    """How many of an account's `total` lines a worker may hold.

    `held` are those it holds, `others` what the other workers have been given, `place` its own among all of them (from
    0). Each gets an equal part, the first ones one more; nobody is given a line before another has let go of it.
    """
    parts, more = divmod(total, len(others) + 1)
    fair = parts + (place < more)
    return max(0, min(fair, max(held, total - sum(others))))

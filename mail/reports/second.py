"""A second opinion on who is meant: flufl.bounce, Mailman's collection of detectors for odd old mail systems.

Asked only by the fenced child, only where our readers name nobody in what is a failure for certain: it crashes on some
malformed mail and gives neither status nor reason. Its answer is taken only for addresses that the message names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from email import message_from_bytes

Opinion = Callable[[bytes], list[str]]


def ask_flufl(packages: str) -> Opinion:
    """A function that asks flufl.bounce, loaded from the folder `packages` when it is first needed."""

    def ask(raw: bytes) -> list[str]:
        if packages and packages not in sys.path:
            sys.path.append(packages)
        try:
            from flufl.bounce import scan_message

            found = scan_message(message_from_bytes(raw))
            return sorted({a.decode("ascii", "replace") if isinstance(a, bytes) else str(a) for a in found})
        except MemoryError:
            raise
        except Exception:
            return []

    return ask

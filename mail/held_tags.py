"""Merge tags set aside while the text around them becomes HTML, and put back untouched.

A mark of private-use characters stands for each; nothing in markup or CSS reads it.
"""

from __future__ import annotations

import re

from mail.merge_tags import LIQUID

OPEN, CLOSE = "\ue000", "\ue001"
MARK = re.compile(f"{OPEN}(\\d+){CLOSE}")
# A mark between the rows of a table would be moved out of it by whatever parses HTML; a comment stays.
_IN_COMMENT = re.compile(f"<!--{OPEN}(\\d+){CLOSE}-->|{OPEN}(\\d+){CLOSE}")


def hold(text: str, held: list[str]) -> str:
    """The text with each merge tag replaced by its mark; the tags are added to `held`."""

    def keep(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"{OPEN}{len(held) - 1}{CLOSE}"

    return LIQUID.sub(keep, text.replace(OPEN, "").replace(CLOSE, ""))


def released(text: str, held: list[str]) -> str:
    """The text with its merge tags again. A mark of no tag (written as an entity) is nothing."""

    def tag(match: re.Match[str]) -> str:
        number = int((match[1] or match[2])[:9])
        return held[number] if number < len(held) else ""

    return _IN_COMMENT.sub(tag, text)


def tag_of(mark: str, held: list[str]) -> str:
    """The tag a lone mark stands for, empty for anything else."""
    match = MARK.fullmatch(mark)
    return held[int(match[1][:9])] if match and int(match[1][:9]) < len(held) else ""


def in_comments(text: str, held: list[str]) -> str:
    """The text with the marks of `{% … %}` as comments, which keep their place in any HTML."""
    return MARK.sub(lambda match: f"<!--{match[0]}-->" if tag_of(match[0], held).startswith("{%") else match[0], text)


def out_of_comments(text: str) -> str:
    """The reverse of in_comments."""
    return re.sub(f"<!--({OPEN}\\d+{CLOSE})-->", r"\1", text)

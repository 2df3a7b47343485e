"""Links that say they were followed: off by default, asked for per template, and of those alone who are measured.

A rewritten link names its e-mail and its target, both signed, so that it leads nowhere else. Whoever reads the letter
on our own pages follows the link as it was written (`unwrapped`): a look in the history is nobody's click.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from html import escape, unescape

from extensions import settings
from mail import tokens

_KIND = "link"
_PATH = "/t/l/"
_HREF = re.compile(r'(<a\b[^<>]{0,1000}?\shref=")(https?://[^"<>\s]{1,2000})(")', re.IGNORECASE)
_OURS = re.compile(
    rf'(<a\b[^<>]{{0,1000}}?\shref=")[^"<>\s]{{1,300}}?{_PATH}([a-z2-7]{{{tokens.LENGTH}}})/([\w-]{{1,3000}})(")'
)


def rewritten(html: str, email_id: int) -> str:
    """The letter with each link to the web leading through us; our own addresses, which have their own tokens, stay."""
    ours = settings().base_url + "/"

    def through(found: re.Match[str]) -> str:
        target = unescape(found[2])
        return found[0] if target.startswith(ours) else f"{found[1]}{escape(_through(target, email_id))}{found[3]}"

    return _HREF.sub(through, html)


def target_of(token: str, packed: str) -> tuple[int, str] | None:
    """(e-mail's id, address) of a rewritten link; None for one that is not ours."""
    try:
        target = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except ValueError:
        target = ""
    email_id = tokens.read(_KIND, token, target)
    return (email_id, target) if email_id is not None and target else None


def unwrapped(html: str) -> str:
    """The letter with its links as they were written."""
    return _each(html, lambda _id, target: target)


def readdressed(html: str, email_id: int | None) -> str:
    """The letter of an earlier e-mail for a copy of it, which is `email_id`; None: its links are not to be measured."""
    return _each(html, lambda _id, target: _through(target, email_id) if email_id else target)


def rewrites(html: str) -> bool:
    """Whether the letter holds links that lead through us."""
    return _PATH in html


def _each(html: str, made: Callable[[int, str], str]) -> str:
    def again(found: re.Match[str]) -> str:
        known = target_of(found[2], found[3])
        return f"{found[1]}{escape(made(*known))}{found[4]}" if known else found[0]

    return _OURS.sub(again, html) if _PATH in html else html


def _through(target: str, email_id: int) -> str:
    packed = urlsafe_b64encode(target.encode()).decode().rstrip("=")
    return f"{settings().base_url}{_PATH}{tokens.token(_KIND, email_id, target)}/{packed}"

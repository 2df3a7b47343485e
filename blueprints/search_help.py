"""What the page says of the search box: its operators, the words that stand for codes, what names can be looked up."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, render_template
from markupsafe import Markup

from history.around import Around
from history.scope import Kind
from history.search import Known
from history.search_words import OPERATORS, Operator, vocabularies
from i18n import _, language

# Which operators say nothing where: the list is about one session or one contact already.
_LEFT_OUT: dict[Kind, tuple[str, ...]] = {
    "global": ("learners",), "session": ("session", "segment", "learners"), "contact": ("contact", "segment"),
}  # fmt: skip
# What stands in the empty box: short enough for a phone; the help has the longer ones.
EXAMPLE = {"fr": "à:petit statut:erreur", "en": "to:petit status:error"}
_SPELT_OUT = ("status", "reason", "period", "date_field", "type")
_FIRST = ("recipient", "subject", "status", "type", "reason", "on", "before", "since", "has", "treated")


@dataclass(frozen=True)
class Line:
    """An operator as the help shows it: an example, what it is about, its other names."""

    example: str
    about: str
    also: str


@dataclass(frozen=True)
class SearchHelp:
    """The help beside the search box of one kind of list, in the page's language."""

    kind: Kind

    @property
    def lines(self) -> list[Line]:
        return [Line(self._example(one), _(one.help), ", ".join(self._also(one))) for one in self._operators()]

    @property
    def words(self) -> list[tuple[str, list[str]]]:
        """(operator, the words it understands) of those with a fixed vocabulary."""
        here = language()
        spelt_out = [one for one in self._operators() if one.key in _SPELT_OUT]
        return [(one.name(here), vocabularies()[one.key].words(here)) for one in spelt_out]

    @property
    def offered(self) -> list[str]:
        """What the box proposes to begin with."""
        return [self._example(one) for one in self._operators() if one.key in _FIRST]

    def _operators(self) -> list[Operator]:
        return [one for one in OPERATORS if one.key not in _LEFT_OUT[self.kind]]

    def _example(self, one: Operator) -> str:
        return one.examples[language() == "en"]

    def _also(self, one: Operator) -> list[str]:
        own = one.name(language())
        return [name for name in dict.fromkeys((*one.names, *one.also)) if name != own]


def rendered(kind: Kind) -> Markup:
    """The help as markup, made once for each kind of list and language (in debug mode each time): it is long."""
    made: dict[tuple[Kind, str], Markup] = current_app.extensions.setdefault("search_help", {})
    if (kind, language()) not in made or current_app.debug:
        made[kind, language()] = Markup(render_template("history/_search_help.html", help=SearchHelp(kind)))
    return made[kind, language()]


def offered(kind: Kind) -> list[str]:
    """What the box of such a list proposes to begin with."""
    return SearchHelp(kind).offered


def known(around: Around) -> Known:
    """The segments, senders and people that the page offers, to be named in a search."""
    return Known(**{name: tuple(around.offered.get(name, ())) for name in ("segment", "sender", "by")})

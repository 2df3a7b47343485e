"""Merge tags: what a person may write between {{ and }}, and what each becomes for one recipient.

python-liquid renders them; of its language only output, `if` and five filters are kept, and a tag that the kind of
recipient does not have is refused before anything is rendered. The list of tags is mail.tag_list's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate, Environment, StrictUndefined
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.token import Token

from documents import dates
from errors import UserMistake
from mail import event_tags
from mail.tag_list import EVERY, LINK_TAGS, TAGS, MergeTag, tags_for
from models import Contact, Organisation, TrainingSession, User
from models.words import N_, ContactKind

__all__ = ["EVERY", "LIQUID", "LONGEST", "TAGS", "MergeTag", "Merged", "check", "compiled", "tags_for", "values"]

# Longer than any letter, far below what could keep a processor busy.
LONGEST = 20_000
_BADLY_WRITTEN = N_("Une balise est mal écrite : %(where)s")
_KEPT_TAGS = {"content", "output", "illegal", "if", "unless", "comment"}
_KEPT_FILTERS = {"default", "upcase", "downcase", "capitalize", "strip"}
# A whole tag. Bounded, so that no text takes more than linear time; what opens and is none of these is a mistake.
LIQUID = re.compile(r"\{\{[^{}]{0,300}\}\}|\{%[^{}%]{0,300}%\}")
_OPENS = re.compile(r"\{\{|\{%")


class _Undefined(StrictUndefined):
    """An unknown tag is an error, with `default` or without."""


def _environment(autoescape: bool) -> Environment:
    class Limited(Environment):
        block_nesting_limit = 10
        context_depth_limit = 10
        loop_iteration_limit = 1000
        output_stream_limit = 30 * LONGEST
        local_namespace_limit = 10_000

    environment = Limited(autoescape=autoescape, undefined=_Undefined, strict_filters=True)
    for name in set(environment.tags) - _KEPT_TAGS:
        del environment.tags[name]
    for name in set(environment.filters) - _KEPT_FILTERS:
        del environment.filters[name]
    return environment


_TEXT, _HTML = _environment(False), _environment(True)


@dataclass(frozen=True)
class Merged:
    """A text with its tags, checked: `names` are the tags it uses."""

    template: BoundTemplate
    names: frozenset[str]
    field: str | None

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for one recipient. Raises UserMistake past the limits."""
        try:
            return str(self.template.render(**values))
        except (LiquidError, ArithmeticError, ValueError, RecursionError) as error:
            raise _mistake(error, self.field) from error


def compiled(source: str, *, html: bool = False, field: str | None = None) -> Merged:
    """The text, parsed. Raises UserMistake saying what cannot be read, or that it is too long."""
    if len(source) > LONGEST * (20 if html else 1):
        raise UserMistake(N_("Ce texte est trop long."), field)
    if "\0" in source or any("\ud800" <= char <= "\udfff" for char in source):
        raise UserMistake(N_("Ce texte contient un caractère qui ne peut pas être envoyé."), field)
    stray = _OPENS.search(LIQUID.sub(lambda match: " " * len(match[0]), source))
    if stray:
        raise UserMistake(_BADLY_WRITTEN, field, where=source[stray.start() : stray.start() + 60])
    template, names, error = _parsed(source, html)
    if error is not None or template is None:
        raise _mistake(error, field) from error
    return Merged(template, names, field)


@lru_cache(maxsize=64)
def _parsed(source: str, html: bool) -> tuple[BoundTemplate | None, frozenset[str], Exception | None]:
    try:
        template = (_HTML if html else _TEXT).from_string(source)
        analysis = template.analyze()
        for unknown, spans in analysis.filters.items():
            if unknown not in _KEPT_FILTERS:
                return (
                    None,
                    frozenset(),
                    LiquidError(f"unknown filter {unknown}", token=Token("filter", unknown, spans[0].index, source)),
                )
        found = analysis.globals.values()
    except (LiquidError, ArithmeticError, ValueError, RecursionError) as error:
        return None, frozenset(), error
    return template, frozenset(".".join(map(str, v.segments)) for variables in found for v in variables), None


def check(
    names: Iterable[str], kind: ContactKind, with_session: bool, field: str | None, label: str,
    more: Collection[str] = (),
) -> None:  # fmt: skip
    """Raises UserMistake naming the first tag that this kind of recipient does not have; `label` is the kind's,
    `more` the groups of tags that the type of e-mail offers beyond those of all."""
    allowed = {tag.name for tag in tags_for([kind], with_session, more)}
    known = {tag.name for tag in EVERY if tag in TAGS or tag.group in more}
    for name in sorted(names):
        if name not in known:
            raise UserMistake(N_("La balise %(tag)s n'existe pas."), field, tag="{{ " + name + " }}")
        if name not in allowed:
            message = N_("La balise %(tag)s n'existe pas pour ce type de destinataire : %(kind)s")
            raise UserMistake(message, field, tag="{{ " + name + " }}", kind=label)


def _mistake(error: Exception | None, field: str | None) -> UserMistake:
    if isinstance(error, ResourceLimitError | RecursionError):
        return UserMistake(N_("Ce texte est trop compliqué pour être préparé."), field)
    token = getattr(error, "token", None)
    where = _around(token.source, token.start_index) if token is not None else ""
    return UserMistake(_BADLY_WRITTEN, field, where=where)


def _around(source: str, index: int) -> str:
    """The whole tag that holds the place, for the message."""
    for match in LIQUID.finditer(source):
        if match.start() <= index < match.end():
            return match[0]
    return source[index : index + 60]


def values(
    contact: Contact, *, training_session: TrainingSession | None, organisation: Organisation, author: User | None,
    language: str, groups: Collection[str] = (), data: Mapping[str, Any] | None = None,
    links: Mapping[str, str] | None = None, receipt: str = "",
) -> dict[str, dict[str, str]]:  # fmt: skip
    """What each tag becomes for this person: {"personne": {"prenom": …}, …}, days and hours in `language`.

    `data` is the event's, `links` this person's addresses ({"evaluation": url}); both fill tags of `groups` alone.
    `receipt` is where they confirm that the e-mail arrived.
    """
    zone = organisation.timezone
    said = {
        "personne": {
            "prenom": contact.first_name, "nom": contact.last_name or contact.name, "nom_complet": contact.name,
            "email": contact.email, "entreprise": contact.company.name if contact.company else "",
        },
        "organisme": {
            "nom": organisation.name, "telephone": organisation.phone,
            "adresse": ", ".join(line.strip() for line in organisation.address.splitlines() if line.strip()),
        },
        "expediteur": {"nom": author.name if author else organisation.name},
        "accuse": {"lien": receipt},
    }  # fmt: skip
    if training_session is not None:
        first, last = dates.days_of(training_session, zone)
        starts = min((m.starts_at for m in training_session.modules), default=None)
        said["session"] = {
            "titre": training_session.title, "reference": training_session.reference, "lieu": training_session.place,
            "dates": dates.span(first, last, language),
            "debut": dates.long_date(first, language) if first else "",
            "fin": dates.long_date(last, language) if last else "",
            "heure": dates.hour(starts, zone, language) if starts else "",
        }  # fmt: skip
    said |= event_tags.values(data, groups, language, zone)
    for tag in LINK_TAGS:
        if tag.group in groups:
            said[tag.group] = {"lien": event_tags.address((links or {}).get(tag.group))}
    return said

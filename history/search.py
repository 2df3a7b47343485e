"""The search box: text ⇄ HistoryFilter, one algebra with the query string, the inputs, the chips and the sentence.

`to:petit statut:erreur objet:"carte expirée" avant:2026-10-01`: operators in French and English, in any order. Words
without one are the recipient's where they look like an address, else the subject's. read() never raises: what is not
understood is said, the rest is kept. read(write(f)) is f, but for order, page and size, which are no part of a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from history.filters import LONGEST_TEXT, HistoryFilter
from history.periods import Period, read_stretch
from history.search_text import Part, parts, quoted
from history.search_words import BY_KEY, fold, likely_operator, operator_of, vocabularies, yes_or_no
from models.words import N_

LONGEST = 1000
_TEXTS = ("recipient", "contact", "session", "subject")
_CODED = ("status", "type", "reason")
_SINGLE = (
    "attachment", "segment", "sender", "by", "operator", "resent", "treated", "queue", "learners", "date_field",
    "period",
)  # fmt: skip
_DATES = ("before", "after", "since", "until", "on")
_FILES = {"piece", "pieces", "piece-jointe", "pieces-jointes", "pj", "attachment", "attachments", "file", "files"}
_LAST_DAY = date(2199, 12, 31)


@dataclass(frozen=True)
class Known:
    """What looked-up names may stand for: (value, label)s, as history.around offers them."""

    segment: tuple[tuple[str, str], ...] = ()
    sender: tuple[tuple[str, str], ...] = ()
    by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Mistake:
    """A plain sentence (a message id and its values) about what was not understood."""

    message: str
    values: dict[str, str]


@dataclass(frozen=True)
class Reading:
    """What a text asks for, as far as it was understood."""

    filter: HistoryFilter
    mistakes: tuple[Mistake, ...] = ()


def read(text: str, today: date, language: str = "fr", known: Known | None = None) -> Reading:
    """What `text` asks for. `language` is that of the words that mistakes propose."""
    reader = _Reader(today, language, known or Known())
    for part in parts(text.replace("\0", " ")[:LONGEST]):
        reader.take(part)
    if len(text) > LONGEST:
        reader.refuse(N_("La recherche est trop longue : seuls ses %(most)s premiers signes sont lus."), most=LONGEST)
    return Reading(reader.filter(), tuple(reader.mistakes))


def write(filter_: HistoryFilter, language: str = "fr", known: Known | None = None) -> str:
    """The text that asks for `filter_`, in the words of `language`."""
    known = known or Known()
    return " ".join(f"{BY_KEY[key].name(language)}:{value}" for key, value in _written(filter_, language, known))


@dataclass
class _Reader:
    today: date
    language: str
    known: Known
    texts: dict[str, list[str]] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    single: dict[str, str] = field(default_factory=dict)
    first: date | None = None
    last: date | None = None
    mistakes: list[Mistake] = field(default_factory=list)

    def refuse(self, message: str, **values: Any) -> None:
        mistake = Mistake(message, {name: str(value)[:80] for name, value in values.items()})
        if mistake not in self.mistakes and len(self.mistakes) < 5:
            self.mistakes.append(mistake)

    def take(self, part: Part) -> None:
        if part.open:
            self.refuse(N_("Il manque un guillemet à la fin : tout ce qui suit le premier est pris ensemble."))
        if not part.name:
            self._text("recipient" if "@" in part.value else "subject", part)
            return
        if part.name.startswith("-"):
            self.refuse(N_("« %(asked)s » : on ne peut pas exclure avec un tiret. Ce qui s'exclut se demande comme "
                           "« %(example)s »."), asked=part.source,
                        example=BY_KEY["without"].examples[self.language == "en"])  # fmt: skip
            return
        operator = operator_of(part.name)
        if operator is None:
            meant = likely_operator(part.name)
            if meant:
                self.refuse(N_("« %(asked)s » n'est pas un filtre connu. Vouliez-vous dire « %(meant)s » ?"),
                            asked=part.source, meant=f"{meant.name(self.language)}:")  # fmt: skip
            else:
                self.refuse(N_("« %(asked)s » n'est pas un filtre connu. Pour chercher ces mots, mettez-les entre "
                               "guillemets."), asked=part.source)  # fmt: skip
        elif not part.value:
            self.refuse(N_("Il manque ce que vous cherchez après « %(asked)s »."), asked=part.source)
        elif operator.key in _TEXTS:
            self._text(operator.key, part)
        elif operator.key == "number":
            self._numbers(part)
        elif operator.key in _CODED:
            self._codes(operator.key, part)
        elif operator.key in _DATES:
            self._date(operator.key, part)
        else:
            self._one(operator.key, part)

    def _text(self, name: str, part: Part) -> None:
        if not any(c.isalnum() for c in part.value):
            self.refuse(N_("« %(asked)s » : il n'y a ni lettre ni chiffre à chercher."), asked=part.source)
            return
        said = self.texts.setdefault(name, [])
        if len(" ".join([*said, part.value])) > LONGEST_TEXT:
            self.refuse(N_("« %(asked)s » : %(most)s signes au plus, le reste est laissé de côté."), asked=part.source,
                        most=LONGEST_TEXT)  # fmt: skip
        said.append(part.value)

    def _numbers(self, part: Part) -> None:
        asked = [word for word in part.value.split(",") if word]
        known = [word for word in asked if HistoryFilter.from_query([("number", word)]).number]
        if len(known) < len(asked):
            self.refuse(N_("« %(asked)s » n'est pas un numéro d'e-mail."), asked=part.source)
        self.codes.setdefault("number", []).extend(known)

    def _codes(self, name: str, part: Part) -> None:
        for word in [part.value] if part.quoted else part.value.split(","):
            code = self._code(name, word, part) if word else None
            if code:
                self.codes.setdefault(name, []).append(code)

    def _code(self, name: str, word: str, part: Part) -> str | None:
        """The code of a word; of a type also a program's own word, certain by a = before it."""
        vocabulary = vocabularies()[name]
        own = word.removeprefix("=")
        if name == "type" and own != word and own in HistoryFilter.from_query([("type", own)]).type:
            return own
        code = vocabulary.code(word)
        if code:
            return code
        meant = vocabulary.likely(word, self.language)
        if name == "type" and not meant and word in HistoryFilter.from_query([("type", word)]).type:
            return word
        if meant:
            self.refuse(N_("« %(asked)s » n'est pas connu. Vouliez-vous dire « %(meant)s » ?"), asked=part.source,
                        meant=meant)  # fmt: skip
        else:
            self.refuse(N_("« %(asked)s » n'est pas connu : l'aide donne les mots possibles."), asked=part.source)
        return None

    def _date(self, name: str, part: Part) -> None:
        stretch = read_stretch(part.value, self.today)
        if stretch is None:
            period = vocabularies()["period"].code(part.value) if name == "on" else None
            if period:
                self._set("period", period, part)
            else:
                self.refuse(N_("« %(asked)s » n'est pas une date : écrivez 2026-10-01, 01/10/2026, 2026-10, 2026 ou "
                               "hier."), asked=part.source)  # fmt: skip
            return
        day = timedelta(days=1)
        first, last = stretch
        limits: dict[str, tuple[date | None, date | None]] = {
            "before": (None, first - day), "after": (last + day, None), "since": (first, None), "until": (None, last),
            "on": stretch,
        }  # fmt: skip
        after, before = limits[name]
        after = max(filter(None, (after, self.first)), default=None)
        before = min(filter(None, (before, self.last)), default=None)
        outside = not all(date(1900, 1, 1) <= d <= _LAST_DAY for d in (after, before) if d)
        if "period" in self.single:
            self._aside(part)
        elif outside or (after and before and after > before):
            self.refuse(N_("« %(asked)s » est laissé de côté : aucun jour ne répond à toutes ces dates."),
                        asked=part.source)  # fmt: skip
        else:
            self.first, self.last = after, before

    def _aside(self, part: Part) -> None:
        self.refuse(N_("« %(asked)s » est laissé de côté : une période et des dates ne vont pas ensemble."),
                    asked=part.source)  # fmt: skip

    def _one(self, name: str, part: Part) -> None:
        if name in ("has", "without"):
            if fold(part.value) in _FILES:
                return self._set("attachment", "yes" if name == "has" else "no", part)
            return self.refuse(N_("« %(asked)s » n'est pas compris : seul « pièce » va ici."), asked=part.source)
        if name in ("period", "date_field", "queue"):
            value = vocabularies()[name].code(part.value) or ""
        elif name in ("segment", "sender", "by"):
            value = looked_up(part.value, getattr(self.known, name), name == "segment")
        elif name == "operator":
            value = HistoryFilter.from_query([("operator", part.value)]).operator
        else:
            value = yes_or_no(part.value)
        if not value:
            said = {
                "segment": N_("« %(asked)s » : aucun segment ne porte ce nom, ou plusieurs."),
                "sender": N_("« %(asked)s » : aucun expéditeur n'a cette adresse, ou plusieurs."),
                "by": N_("« %(asked)s » : personne ne porte ce nom, ou plusieurs."),
                "operator": N_("« %(asked)s » n'est pas un domaine."),
                "period": N_("« %(asked)s » n'est pas connu : l'aide donne les mots possibles."),
                "date_field": N_("« %(asked)s » n'est pas connu : l'aide donne les mots possibles."),
                "queue": N_("« %(asked)s » n'est pas connu : l'aide donne les mots possibles."),
            }  # fmt: skip
            return self.refuse(said.get(name, N_("« %(asked)s » : répondez par oui ou par non.")), asked=part.source)
        if name == "period" and (self.first or self.last):
            return self._aside(part)
        if name == "learners" and value == "no":
            return None  # as it is without
        self._set(name, value, part)

    def _set(self, name: str, value: str, part: Part) -> None:
        if name == "period" and (self.first or self.last):
            self._aside(part)
        elif self.single.setdefault(name, value) != value:
            self.refuse(N_("« %(asked)s » est laissé de côté : une seule valeur à la fois ici."), asked=part.source)

    def filter(self) -> HistoryFilter:
        pairs = [(name, " ".join(said)) for name, said in self.texts.items()]
        pairs += [(name, code) for name, codes in self.codes.items() for code in codes]
        pairs += list(self.single.items())
        pairs += [(name, day.isoformat()) for name, day in (("from", self.first), ("to", self.last)) if day]
        return HistoryFilter.from_query(pairs)


def looked_up(word: str, known: Iterable[tuple[str, str]], exact: bool = False) -> str:
    """The value that a word stands for: as it is after a = and where it is one, an address or an id; else the one
    whose label is the word or, alone, contains it. Empty for none and for several."""
    listed = list(known)
    if word.startswith("="):
        return word[1:]
    if any(value == word for value, _label in listed) or ("@" in word and not exact):
        return word
    if exact and HistoryFilter.from_query([("segment", word)]).segment:
        return word
    folded = fold(word)
    same = {value for value, label in listed if fold(label) == folded}
    near = {value for value, label in listed if folded and folded in fold(label)}
    found = same or near
    return found.pop() if len(found) == 1 else ""


def _written(filter_: HistoryFilter, language: str, known: Known) -> Iterator[tuple[str, str]]:
    for name in _TEXTS:
        if value := getattr(filter_, name):
            yield name, quoted(value)
    for name in _CODED:
        if codes := [_code_word(name, code, language) for code in getattr(filter_, name)]:
            yield name, ",".join(codes)
    yield from _dates_written(filter_, language)
    for name in ("attachment", "resent", "treated"):
        if value := getattr(filter_, name):
            yield name, _yes(value == "yes", language)
    for name in ("segment", "sender", "by"):
        if value := getattr(filter_, name):
            yield name, quoted(_known_word(value, getattr(known, name), name == "segment"))
    if filter_.operator:
        yield "operator", filter_.operator
    if filter_.queue:
        yield "queue", vocabularies()["queue"].word(filter_.queue, language)
    if filter_.number:
        yield "number", ",".join(filter_.number)
    if filter_.learners:
        yield "learners", _yes(True, language)
    if filter_.date_field is not HistoryFilter.date_field:
        yield "date_field", vocabularies()["date_field"].word(filter_.date_field.value, language)


def _dates_written(filter_: HistoryFilter, language: str) -> Iterator[tuple[str, str]]:
    first, last = filter_.first, filter_.last
    if filter_.period and filter_.period is not Period.CUSTOM:
        yield "period", vocabularies()["period"].word(filter_.period.value, language)
    elif first and first == last:
        yield "on", first.isoformat()
    else:
        if first:
            yield "since", first.isoformat()
        if last:
            edge = last == _LAST_DAY  # the day after could not be written
            yield "until" if edge else "before", (last if edge else last + timedelta(days=1)).isoformat()


def _yes(yes: bool, language: str) -> str:
    return {"fr": ("non", "oui"), "en": ("no", "yes")}[language][yes]


def _code_word(name: str, code: str, language: str) -> str:
    vocabulary = vocabularies()[name]
    if (code, language) in vocabulary.written:
        return vocabulary.word(code, language)
    certain = vocabulary.code(code) is None and not vocabulary.likely(code, language)
    return code if certain else f"={code}"


def _known_word(value: str, known: Iterable[tuple[str, str]], exact: bool) -> str:
    listed = list(known)
    label = dict(listed).get(value, "") if exact else ""  # a segment by its name, people and senders by their address
    tried = [text for text in (label, value) if text and " ".join(text.split()) == text]
    return next((text for text in tried if looked_up(text, listed, exact) == value), f"={value}")

"""The vocabulary of the search box: operators by their French and English names, and words that stand for codes.

Both languages are always understood; what is written back is in the language of the page. Pure. The grammar is
history.search's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import i18n
from history.periods import DateField, Period
from models.standing import QUEUED, Standing
from models.words import N_, EmailType, Reason, Status, StatusGroup, Word


@dataclass(frozen=True)
class Operator:
    """A filter that words can ask for. `names` are the French and the English one, `also` what is understood too;
    `help` and `example` are for the page (`example` is made from the vocabulary where it is empty)."""

    key: str
    names: tuple[str, str]
    also: tuple[str, ...]
    help: str
    examples: tuple[str, str]

    def name(self, language: str) -> str:
        """What it is called in a language."""
        return self.names[language == "en"]


OPERATORS: tuple[Operator, ...] = (
    Operator(
        "recipient", ("à", "to"), ("destinataire", "recipient"), N_("le destinataire, son nom ou son adresse"),
        ("à:petit", "to:petit"),
    ),
    Operator(
        "subject", ("objet", "subject"), ("sujet",), N_("les mots de l'objet, dans n'importe quel ordre"),
        ('objet:"carte expirée"', 'subject:"carte expirée"'),
    ),
    Operator(
        "status", ("statut", "status"), ("état", "state"), N_("un statut ou un groupe ; plusieurs avec une virgule"),
        ("statut:erreur", "status:error"),
    ),
    Operator("type", ("type", "type"), ("modèle", "template", "évènement", "event"), N_("le type d'e-mail"),
             ("type:convocation", "type:joining-instructions")),
    Operator("reason", ("motif", "reason"), (), N_("pourquoi il n'est pas arrivé"),
             ("motif:boîte-pleine", "reason:mailbox-full")),
    Operator("contact", ("client", "customer"), ("contact",), N_("le nom du client"),
             ("client:durand", "customer:durand")),
    Operator("session", ("session", "session"), ("formation", "training"), N_("la session, son titre ou son numéro"),
             ("session:secours", "session:secours")),
    Operator("before", ("avant", "before"), (), N_("avant ce jour, ce mois ou cette année"),
             ("avant:2026-10-01", "before:2026-10-01")),
    Operator("after", ("après", "after"), (), N_("après ce jour, ce mois ou cette année"),
             ("après:2026-09", "after:2026-09")),
    Operator("since", ("depuis", "since"), ("dès",), N_("à partir de ce jour compris"),
             ("depuis:hier", "since:yesterday")),
    Operator("until", ("jusqu'au", "until"), ("jusque", "jusqu'à"), N_("jusqu'à ce jour compris"),
             ("jusqu'au:30/09/2026", "until:30/09/2026")),
    Operator("on", ("le", "on"), ("jour", "day", "date", "en", "in"), N_("ce jour, ce mois ou cette année"),
             ("le:22/11/2026", "on:22/11/2026")),
    Operator("period", ("période", "period"), (), N_("une période qui suit le calendrier"),
             ("période:30-derniers-jours", "period:last-30-days")),
    Operator("date_field", ("selon", "dated"), (), N_("la date dont on parle : demande, envoi ou changement"),
             ("selon:envoi", "dated:sent")),
    Operator("attachment", ("pièce", "attachment"), ("pièces", "pj", "pièce-jointe", "attachments", "file"),
             N_("avec ou sans pièce jointe"), ("pièce:oui", "attachment:yes")),
    Operator("has", ("avec", "has"), ("with",), N_("avec pièce jointe"), ("avec:pièce", "has:attachment")),
    Operator("without", ("sans", "without"), (), N_("sans pièce jointe"), ("sans:pièce", "without:attachment")),
    Operator("sender", ("expéditeur", "from"), ("de", "sender"), N_("l'adresse d'expédition"),
             ("expéditeur:formation@…", "from:formation@…")),
    Operator("by", ("par", "by"), ("demandé-par", "requested-by"), N_("la personne qui l'a demandé"),
             ("par:sophie", "by:sophie")),
    Operator("operator", ("opérateur", "domain"), ("domaine", "operator", "provider"),
             N_("le domaine du destinataire"), ("opérateur:orange.fr", "domain:orange.fr")),
    Operator("segment", ("segment", "segment"), (), N_("un segment de contacts, par son nom"),
             ('segment:"clients fidèles"', 'segment:"clients fidèles"')),
    Operator("resent", ("renvoyé", "resent"), (), N_("déjà renvoyé, ou jamais"), ("renvoyé:non", "resent:no")),
    Operator("treated", ("traité", "treated"), ("dealt-with",), N_("marqué comme traité, ou en erreur et pas encore"),
             ("traité:non", "treated:no")),
    Operator("queue", ("départ", "queue"), ("outbox",), N_("où il en est de son départ"),
             ("départ:nouvel-essai", "queue:retry")),
    Operator("number", ("numéro", "number"), ("id",), N_("le numéro de l'e-mail ; plusieurs avec une virgule"),
             ("numéro:E-7k3m9qx2w5ab", "number:E-7k3m9qx2w5ab")),
    Operator("learners", ("apprenants", "learners"), (), N_("avec les apprenants de l'entreprise"),
             ("apprenants:oui", "learners:yes")),
)  # fmt: skip
BY_KEY = {operator.key: operator for operator in OPERATORS}


def fold(text: str) -> str:
    """Lower case without accents, words joined by hyphens: `Boîte pleine` → `boite-pleine`."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return "-".join("".join(c if c.isalnum() else " " for c in plain).split())


def _name(text: str) -> str:
    return fold(text.replace("'", "").replace("’", ""))


NAMES: dict[str, Operator] = {
    _name(name): operator for operator in OPERATORS for name in (*operator.names, *operator.also)
}


def operator_of(name: str) -> Operator | None:
    """The operator of that name in any of its spellings, accents and case aside."""
    return NAMES.get(_name(name))


def likely_operator(name: str) -> Operator | None:
    """The one whose name was likely meant."""
    near = get_close_matches(_name(name), [known for known in NAMES if len(known) > 3], 1, 0.75)
    return NAMES[near[0]] if near else None


@dataclass(frozen=True)
class Vocabulary:
    """Codes by folded words, and the word each code is written with, by language."""

    codes: dict[str, str]
    written: dict[tuple[str, str], str]

    def code(self, word: str) -> str | None:
        """The code that a word stands for: exactly, or as the only one that begins so."""
        folded = fold(word)
        if folded in self.codes:
            return self.codes[folded]
        begun = {code for known, code in self.codes.items() if folded and known.startswith(folded)}
        return begun.pop() if len(begun) == 1 else None

    def likely(self, word: str, language: str) -> str:
        """The word that was likely meant, empty for none."""
        near = get_close_matches(fold(word), list(self.codes), 1, 0.72)
        return self.word(self.codes[near[0]], language) if near else ""

    def word(self, code: str, language: str) -> str:
        """What a code of the vocabulary is written with."""
        return self.written[code, language]

    def words(self, language: str) -> list[str]:
        """Every code's word, in the vocabulary's order."""
        return [word for (_code, spoken), word in self.written.items() if spoken == language]


# Said more shortly than by their labels, or as people say it: the French word, the English one, others. Keyed with the
# class, for words of two vocabularies may be equal texts.
_SHORT: dict[tuple[type[Word], Word], tuple[str, ...]] = {
    (StatusGroup, StatusGroup.ERROR): ("erreur", "error", "erreurs", "errors"),
    (StatusGroup, StatusGroup.WAITING): ("attente", "waiting"),
    (StatusGroup, StatusGroup.SENT_ALL): ("envoyés", "sent-out"),
    (DateField, DateField.CREATED): ("demande", "requested"),
    (DateField, DateField.SENT): ("envoi", "sent"),
    (DateField, DateField.UPDATED): ("changement", "changed", "change"),
    (Status, Status.OPENED): ("ouvert", "opened", "lu"),
    (Standing, Standing.READY): ("prêt", "ready", "prêts"),
    (Standing, Standing.SENDING): ("en-cours", "sending", "cours"),
    (Standing, Standing.RETRY): ("nouvel-essai", "retry", "essai"),
    (Standing, Standing.LATER): ("programmé", "scheduled", "programmés"),
}


def _vocabulary(words: Iterable[Word]) -> Vocabulary:
    codes: dict[str, str] = {}
    listed = list(words)
    english = {word: i18n.english().gettext(word.label) for word in listed}
    for word in listed:
        codes[fold(word.value)] = word.value
    for word in listed:
        for text in _SHORT.get((type(word), word), ()):
            codes.setdefault(fold(text), word.value)
    for word in listed:
        codes.setdefault(fold(word.label), word.value)
        codes.setdefault(fold(english[word]), word.value)
    written = {}
    for word in listed:
        short = _SHORT.get((type(word), word), ())
        for language, label, place in (("fr", word.label, 0), ("en", english[word], 1)):
            tried = [*short[place : place + 1], _hyphened(label), _hyphened(word.value)]
            written[word.value, language] = next(text for text in tried if codes.get(fold(text)) == word.value)
    return Vocabulary(codes, written)


def _hyphened(label: str) -> str:
    """`Boîte pleine` → `boîte-pleine`: one word, accents kept."""
    return "-".join("".join(c if c.isalnum() else " " for c in label.lower()).split())


@lru_cache(maxsize=1)
def vocabularies() -> dict[str, Vocabulary]:
    """The words that stand for codes, by operator."""
    return {
        "status": _vocabulary([*StatusGroup, *Status]),
        "type": _vocabulary(EmailType),
        "reason": _vocabulary(Reason),
        "period": _vocabulary(period for period in Period if period is not Period.CUSTOM),
        "date_field": _vocabulary(DateField),
        "queue": _vocabulary(QUEUED),
    }


_YES, _NO = {"oui", "yes", "o", "y", "1", "vrai", "true"}, {"non", "no", "n", "0", "faux", "false"}


def yes_or_no(word: str) -> str:
    """`yes` or `no`, empty for neither."""
    folded = fold(word)
    return "yes" if folded in _YES else "no" if folded in _NO else ""

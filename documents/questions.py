"""What the house's own evaluation form asks, by moment and kind of person: PURE.

Every form opens with one question rated 1 to 5 (kept in Evaluation.rating), a few more rated the same way, and ends
with words of one's own. Labels are French message ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import EvaluationMoment
from models.words import N_, ContactKind

LONGEST_ANSWER = 4000
RATINGS = (1, 2, 3, 4, 5)
OVERALL = "rating"


@dataclass(frozen=True)
class Question:
    """One question. `rated`: 1 to 5, else free words. `key` names the answer for good."""

    key: str
    label: str
    rated: bool = True


_COMMENT = Question("comment", N_("Un mot à ajouter ?"), rated=False)
_ORGANISATION = Question("organisation", N_("L'organisation et l'accueil"))
_INFORMATION = Question("information", N_("Les informations reçues avant la session"))
_APPLIED = Question("applied", N_("Ce qui a été appris est mis en pratique"))
_PRE, _HOT, _COLD = EvaluationMoment.PRE, EvaluationMoment.HOT, EvaluationMoment.COLD
_LEARNER, _TRAINER = ContactKind.LEARNER, ContactKind.TRAINER
_COMPANY, _FUNDER = ContactKind.COMPANY, ContactKind.FUNDER

_FORMS: dict[tuple[EvaluationMoment, ContactKind], tuple[Question, ...]] = {
    (_PRE, _LEARNER): (
        Question(OVERALL, N_("Mon niveau actuel sur le sujet")),
        Question("motivation", N_("Ma motivation pour cette formation")),
        Question("expectations", N_("Ce que j'attends de cette formation"), rated=False),
        Question("arrangement", N_("Un aménagement est-il nécessaire (handicap, accès, horaires) ?"), rated=False),
    ),
    (_PRE, _TRAINER): (
        Question(OVERALL, N_("J'ai les informations nécessaires pour préparer la session")),
        Question("needs", N_("Ce dont j'ai besoin (salle, matériel, informations)"), rated=False),
    ),
    (_PRE, _COMPANY): (
        Question(OVERALL, N_("Nos besoins sont bien compris")),
        Question("expectations", N_("Ce que nous attendons de cette formation"), rated=False),
    ),
    (_PRE, _FUNDER): (
        Question(OVERALL, N_("Le dossier est clair et complet")), _COMMENT,
    ),
    (_HOT, _LEARNER): (
        Question(OVERALL, N_("Dans l'ensemble, cette formation")),
        Question("objectives", N_("Les objectifs annoncés sont atteints")),
        Question("content", N_("Le contenu")),
        Question("trainer", N_("L'animation")),
        _ORGANISATION,
        Question("useful", N_("L'utilité pour mon travail")),
        _COMMENT,
    ),
    (_HOT, _TRAINER): (
        Question(OVERALL, N_("Dans l'ensemble, cette session")),
        Question("group", N_("Le groupe : niveau, participation")),
        _ORGANISATION,
        Question("means", N_("Les moyens : salle, matériel")),
        _COMMENT,
    ),
    (_HOT, _COMPANY): (
        Question(OVERALL, N_("Dans l'ensemble, cette formation")),
        _INFORMATION,
        _ORGANISATION,
        _COMMENT,
    ),
    (_HOT, _FUNDER): (
        Question(OVERALL, N_("Dans l'ensemble, le suivi de cette action")),
        Question("documents", N_("Les documents reçus : complets et à temps")),
        _COMMENT,
    ),
    (_COLD, _LEARNER): (
        Question(OVERALL, N_("Avec le recul, l'utilité de cette formation")),
        _APPLIED,
        Question("obstacles", N_("Ce qui a aidé, ou empêché, de mettre en pratique"), rated=False),
        _COMMENT,
    ),
    (_COLD, _TRAINER): (
        Question(OVERALL, N_("Avec le recul, cette session")), _COMMENT,
    ),
    (_COLD, _COMPANY): (
        Question(OVERALL, N_("Avec le recul, l'utilité de cette formation")),
        _APPLIED,
        Question("effects", N_("Les effets constatés dans l'équipe"), rated=False),
        _COMMENT,
    ),
    (_COLD, _FUNDER): (
        Question(OVERALL, N_("Avec le recul, cette action")), _COMMENT,
    ),
}  # fmt: skip


def asked(moment: EvaluationMoment, kind: ContactKind) -> tuple[Question, ...]:
    """The questions of a form, the rating of the whole first."""
    return _FORMS.get((moment, kind)) or _FORMS[moment, ContactKind.LEARNER]


def read(questions: tuple[Question, ...], given: Mapping[str, str]) -> tuple[int | None, dict[str, Any]]:
    """(the rating of the whole, the other answers) of a posted form: what is no rating, or empty, is left out."""
    rating, answers = None, {}
    for question in questions:
        typed = given.get(question.key, "").strip()
        if not question.rated:
            words = "".join(char for char in typed if char >= " " or char in "\n\t")[:LONGEST_ANSWER].strip()
            if words:
                answers[question.key] = words
        elif typed in ("1", "2", "3", "4", "5"):
            if question.key == OVERALL:
                rating = int(typed)
            else:
                answers[question.key] = int(typed)
    return rating, answers


@dataclass(frozen=True)
class Tally:
    """What was answered to one rated question: how many gave each rating."""

    question: Question
    counts: tuple[int, ...]  # of 1, 2, 3, 4, 5

    @property
    def number(self) -> int:
        return sum(self.counts)

    @property
    def average(self) -> float | None:
        """Between 1 and 5; None where nobody answered."""
        total = sum(rating * count for rating, count in zip(RATINGS, self.counts, strict=True))
        return total / self.number if self.number else None


def tallies(questions: tuple[Question, ...], given: list[tuple[int | None, Mapping[str, Any]]]) -> list[Tally]:
    """The tally of each rated question over (rating, answers)."""
    found = []
    for question in questions:
        if question.rated:
            said = [rating if question.key == OVERALL else answers.get(question.key) for rating, answers in given]
            found.append(Tally(question, tuple(said.count(rating) for rating in RATINGS)))
    return found

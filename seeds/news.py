"""One e-mail of the demo for every kind of news about one, in a session of their own: what a time-line can tell."""

from __future__ import annotations

from collections.abc import Sequence

from models import Contact, Organisation, TrainingSession
from models.words import EventKind, Reason, Status
from seeds import examples
from seeds.stories import STORIES, Step, Story, accepted

SESSION = "Exemples : un e-mail par nouvelle"
_K = EventKind
_DELIVERED = Step(_K.DELIVERED, 6, "dsn", enhanced="2.0.0", words="smtp; 250 2.0.0 Delivered to mailbox")


def _report(kind: EventKind, after: float, enhanced: str, words: str, reason: Reason | None = None) -> Step:
    return Step(kind, after, "dsn", reason, enhanced=enhanced, words=words)


def _look(kind: EventKind, after: float, source: str = "pixel", why: str = "") -> Step:
    return Step(kind, after, source, said=(("why", why),) if why else ())


def _told(name: str, *steps: Step) -> Story:
    return Story(name, 0, steps)


# (first name, last name, what became of it): one person each; plain names, whose addresses any resend reaches
PEOPLE: tuple[tuple[str, str, Story], ...] = (
    ("Amélie", "Caron", STORIES["delayed"]),
    ("Bruno", "Dufour", _told("relayed", accepted(), _report(_K.RELAYED, 20, "2.0.0", "relayed to a mail system that "
                                                                             "reports no delivery"))),
    ("Céline", "Étienne", _told("expanded", accepted(), _report(_K.EXPANDED, 20, "2.0.0", "expanded by a list"))),
    ("David", "Ferrand", STORIES["away"]),
    ("Estelle", "Garnier", _told("proxy", accepted(), _DELIVERED, _look(_K.MACHINE_OPENED, 900, why="name"))),
    ("Fabrice", "Huet", _told("at_once", accepted(), _DELIVERED, _look(_K.MACHINE_OPENED, 9, why="soon"))),
    ("Gisèle", "Imbert", _told("burst", accepted(), _look(_K.MACHINE_OPENED, 40, "link", why="burst"))),
    ("Hugo", "Jacquet", STORIES["opened"]),
    ("Inès", "Klein", _told("clicked", accepted(), _look(_K.CLICKED, 2400, "link"))),
    ("Joris", "Lambert", _told("confirmed", accepted(), _DELIVERED, _look(_K.CONFIRMED, 3000, "recipient"))),
    ("Kenza", "Moulin", _told("displayed", accepted(), _report(_K.DISPLAYED, 5200, "", "displayed"))),
    ("Lionel", "Noël", _told("complained", accepted(), _DELIVERED, _report(_K.COMPLAINED, 7000, "", "abuse"))),
    ("Manon", "Olivier", _told("copy", accepted(), _look(_K.OPENED, 1800), _report(
        _K.COPY_FAILED, 1900, "5.1.1", "smtp; 550 5.1.1 User unknown", Reason.USER_UNKNOWN))),
    ("Nadia", "Picard", _told("released", Step(_K.RELEASED, 40, "reaper", attempt=1), accepted(65, 2), _DELIVERED)),
    ("Odile", "Prigent", _told("unsubscribed", accepted(), _DELIVERED, Step(
        _K.UNSUBSCRIBED, 4000, "recipient", said=(("left_by", "one_click"),)))),
    ("Oscar", "Quentin", _told("resolved", Step(_K.OUTCOME_UNKNOWN, 3, words="connection lost", attempt=1),
                               _report(_K.DELIVERED, 300, "2.0.0", "smtp; 250 2.0.0 Delivered to mailbox"))),
    ("Paula", "Renaud", _told("corrected", Step(_K.OUTCOME_UNKNOWN, 3, words="connection lost", attempt=1), Step(
        _K.CORRECTED, 8000, "user",
        said=(("status", Status.DELIVERED.value), ("note", "Elle l'a sous les yeux"), ("by", "Anne Le Goff"))))),
)  # fmt: skip


def keep(
    organisation: Organisation, run: TrainingSession, learners: Sequence[Contact], files: examples.FilesOf
) -> None:  # fmt: skip
    """Write to those `learners`, PEOPLE in their order, about `run`."""
    examples.write(organisation, run, learners, [story for _first, _last, story in PEOPLE], files)

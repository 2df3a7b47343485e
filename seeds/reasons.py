"""One e-mail of the demo for every reason, in a session of their own, to learn the remedies on.

Each address is one the practice post office treats as its reason says, so that a resend to it fails in the same way
until the cause is put right, and a resend to the address without the word arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import mail
from models import Contact, Organisation, TrainingSession
from models.words import EventKind, Reason
from seeds import examples, quarantine
from seeds.bulk import plain
from seeds.stories import STORIES, Step, Story, accepted, bounced, refused

SESSION = "Exemples : un e-mail par motif"


@dataclass(frozen=True)
class Example:
    """A person whose e-mail failed, or waits, for that reason; `word` is the post office's."""

    reason: Reason
    first: str
    last: str
    word: str
    story: Story

    @property
    def address(self) -> str:
        """Where they are written to. Who asks us to slow down has a domain of their own: it is slowed as a whole."""
        domain = "occupe.example" if self.word == "sature" else "courrier.example"
        return f"{plain(self.first)}.{plain(self.last)}.{self.word}@{domain}"


def _told(name: str, *steps: Step, waits: bool = False) -> Story:
    return Story(name, 0, steps, waits)


def _later(reason: Reason, words: str, code: int | None = None, enhanced: str | None = None) -> Story:
    step = Step(EventKind.DEFERRED, 2, reason=reason, code=code, enhanced=enhanced, words=words, attempt=1,
                next_in=3600)  # fmt: skip
    return _told(reason.value, step, waits=True)


def _own(reason: Reason, source: str, words: str | None = None) -> Story:
    """What happened on our own side of the line."""
    return _told(reason.value, Step(EventKind.NOT_SENT, 4, source, reason, words=words))


_R = Reason
EXAMPLES = (
    Example(_R.ADDRESS_SYNTAX, "Aline", "Roux", "syntaxe",
            _told("syntax", refused(_R.ADDRESS_SYNTAX, 501, "5.1.3", "Bad recipient address syntax"))),
    Example(_R.DOMAIN_UNKNOWN, "Basile", "Marchand", "domaine", STORIES["unknown_domain"]),
    Example(_R.USER_UNKNOWN, "Chloé", "Perrin", "inconnu", STORIES["unknown_user"]),
    Example(_R.MOVED, "Denis", "Lacroix", "demenage",
            _told("moved", refused(_R.MOVED, 551, "5.1.6", "Recipient has moved, no forwarding address"))),
    Example(_R.MAILBOX_DISABLED, "Élodie", "Vasseur", "desactive", STORIES["disabled"]),
    Example(_R.MAILBOX_FULL, "Farid", "Belkacem", "plein", STORIES["full"]),
    Example(_R.TOO_BIG, "Gaëlle", "Le Goff", "lourd",
            _told("too_big", refused(_R.TOO_BIG, 552, "5.3.4", "Message size exceeds the recipient's fixed limit"))),
    Example(_R.SPAM, "Henri", "Colin", "spam", STORIES["spam"]),
    Example(_R.AUTHENTICATION, "Ingrid", "Schmitt", "dmarc", STORIES["dmarc"]),
    Example(_R.BLOCKED, "Jérémie", "Faure", "bloque", STORIES["blocked"]),
    Example(_R.CONTENT, "Karine", "Tessier", "virus",
            _told("content", refused(_R.CONTENT, 552, "5.7.0", "This message was blocked because of its attachment: "
                                                               "forbidden file type"))),
    Example(_R.POLICY, "Louis", "Maillard", "regle",
            _told("policy", refused(_R.POLICY, 550, "5.7.1", "Delivery not authorized by local policy"))),
    Example(_R.GREYLISTED, "Maud", "Rivière", "attente", STORIES["waiting"]),
    Example(_R.THROTTLED, "Noé", "Charpentier", "sature",
            _later(_R.THROTTLED, "4.7.28 Too many messages from your address, please try again later", 451, "4.7.28")),
    Example(_R.UNREACHABLE, "Odile", "Guérin", "injoignable",
            _told("unreachable", accepted(), bounced(_R.UNREACHABLE, "5.4.1", "No answer from host"))),
    Example(_R.EXPIRED, "Paolo", "Rossi", "expire",
            _told("expired", accepted(), bounced(_R.EXPIRED, "4.4.7", "Delivery time expired, giving up"))),
    Example(_R.SENDER_REJECTED, "Rachida", "Amrani", "expediteur",
            _told("sender", refused(_R.SENDER_REJECTED, 550, "5.1.8", "Sender address rejected: not owned by the "
                                                                      "account that sends"))),
    Example(_R.NOT_PREPARED, "Simon", "Aubert", "recu",
            _own(_R.NOT_PREPARED, "smtp", "Permanent: the attachment convocation.pdf is missing from the store")),
    Example(_R.CANCELLED, "Tiphaine", "Morvan", "recu", _own(_R.CANCELLED, "user")),
    Example(_R.TOO_LATE, "Ulysse", "Besson", "recu", _own(_R.TOO_LATE, "reaper")),
    Example(_R.UNKNOWN, "Victor", "Hamel", "etrange",
            _told("unknown", accepted(), bounced(_R.UNKNOWN, "5.0.0", "Error 0x8F3"))),
)  # fmt: skip
# Bounced an hour before, so that the example itself is refused by our own quarantine.
SUPPRESSED = Example(_R.SUPPRESSED, "Yasmine", "Delorme", "retour", STORIES["unknown_later"])
UNCERTAIN = Example(_R.UNKNOWN, "Zacharie", "Blanc", "coupe", STORIES["uncertain"])
PEOPLE = (*EXAMPLES, SUPPRESSED, UNCERTAIN)


def keep(
    organisation: Organisation, run: TrainingSession, learners: Sequence[Contact], files: examples.FilesOf
) -> None:  # fmt: skip
    """Write to those `learners`, PEOPLE in their order, about `run`. `files` makes what goes with a convocation."""
    examples.write(organisation, run, learners, [one.story for one in PEOPLE], files)
    quarantine.keep(organisation)
    held = learners[PEOPLE.index(SUPPRESSED)]
    draft = examples.draft(organisation, run, held, files(run, held, datetime.now(UTC)))
    sender, by = examples.people_of(organisation)
    mail.post([draft], organisation=organisation, sender=sender, by=by, request_key="seed suppressed")

"""Where an e-mail that has no outcome yet stands, in a person's words: ready, planned, on the line, to be tried again,
uncertain. The outbox knows it (STANDING, SQL over outbox_entry); uncertain is a status of the e-mail.
"""

from __future__ import annotations

from models.words import N_, Word


class Standing(Word):
    """`icon` and `tone` are for its figure; `sentence` says what happens by itself."""

    def __init__(self, _value: str, _label: str, icon: str, tone: str, sentence: str) -> None:
        self.icon, self.tone, self.sentence = icon, tone, sentence

    READY = (
        "ready",
        N_("Prêts à partir"),
        "clock",
        "neutral",
        N_("Ils partent dès qu'une ligne vers le serveur d'envoi est libre."),
    )
    SENDING = ("sending", N_("En cours d'envoi"), "send", "info", N_("Ils sont envoyés en ce moment même."))
    RETRY = (
        "retry",
        N_("Nouvel essai prévu"),
        "rotate-clockwise",
        "warning",
        N_("Le serveur a demandé d'attendre, ou n'a pas répondu : ils sont réessayés d'eux-mêmes."),
    )
    LATER = ("later", N_("Programmés"), "calendar", "neutral", N_("Leur moment de départ n'est pas encore venu."))
    UNCERTAIN = (
        "uncertain",
        N_("Envois incertains"),
        "help-circle",
        "warning",
        N_("La liaison a été coupée juste après l'envoi : ils ne repartent pas d'eux-mêmes, une personne décide."),
    )


# The outbox's own, in this order on screen; all but the uncertain.
QUEUED = (Standing.READY, Standing.SENDING, Standing.RETRY, Standing.LATER)
# An e-mail is given up so long after the moment it was to leave first (mail.outbox.GIVE_UP_AFTER: a test holds them
# equal), and that moment is kept nowhere else: tries, rests and a calmer pace only move next_attempt_at.
KEPT_TRYING = "interval '48 hours'"
FIRST_DUE = f"(outbox_entry.give_up_at - {KEPT_TRYING})"
STANDING = f"""CASE WHEN outbox_entry.state <> 'waiting' THEN '{Standing.SENDING.value}'
  WHEN outbox_entry.attempt_count > 0 THEN '{Standing.RETRY.value}'
  WHEN {FIRST_DUE} > now() THEN '{Standing.LATER.value}' ELSE '{Standing.READY.value}' END"""

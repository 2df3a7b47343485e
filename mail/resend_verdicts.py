"""Why an e-mail of a selection should not be sent again, in one statement for any number of them.

Two e-mails are about the same matter when they go to the same person, with the same type, session and (of free e-mails
and of those without a session) subject. The order of the verdicts is that of the CASE: what cannot be sent first.
"""

from __future__ import annotations

from mail.resend import SETTLED_AFTER
from models.document import EvaluationMoment
from models.resend_run import Left, RunState
from models.suppression import CANONICAL
from models.words import EmailType, Mark, Reason

_SILENT = ", ".join(f"'{reason.value}'" for reason in Reason if reason.silent)
_BEFORE_THE_END = ", ".join(
    f"'{type.value}'"
    for type in (
        EmailType.CONVOCATION, EmailType.CONVOCATION_REMINDER, EmailType.EVALUATION_PRE, EmailType.WELCOME_BOOKLET,
        EmailType.RULES, EmailType.PROGRAMME,
    )
)  # fmt: skip
_TO_PAY = ", ".join(
    f"'{type.value}'"
    for type in (
        EmailType.INVOICE_ISSUED_TO_PAY, EmailType.INVOICE_OVERDUE, EmailType.INVOICE_PAYMENT_FAILED,
        EmailType.INVOICE_AUTHENTICATION_NEEDED, EmailType.INVOICE_ISSUED_DEBIT,
    )
)  # fmt: skip
_MOMENT = " ".join(f"WHEN '{moment.type.value}' THEN '{moment.value}'" for moment in EvaluationMoment)
_EVALUATIONS = f"'{EmailType.EVALUATION.value}', '{EmailType.EVALUATION_REMINDER.value}'"
_ITSELF_SAID = f"'{EmailType.FREE.value}', '{EmailType.DOCUMENT.value}', '{EmailType.ALERT.value}'"
_COPY = Mark.OWN_COPY.value
_RESENT = Mark.RESENT.value
# The subject, where it is part of what an e-mail is about.
_ABOUT = f"CASE WHEN {{0}}.training_session_id IS NULL OR {{0}}.type IN ({_ITSELF_SAID}) THEN {{0}}.subject ELSE '' END"
# What followed an e-mail: its resends and theirs, and later ones about the same matter; copies to oneself do not count.
_AFTER = f"""
  SELECT max(CASE WHEN follower.status IN ('delivered', 'opened') THEN 3
    WHEN follower.status IN ('requested', 'uncertain') OR (
      follower.status = 'sent' AND coalesce(follower.sent_at, follower.created_at) > now() - interval '1 day') THEN 2
    WHEN follower.status = 'sent' THEN 1 END) AS best
  FROM (
    (WITH RECURSIVE later AS (
      SELECT again.id, again.status, again.sent_at, again.created_at FROM email AS again
      WHERE email.marks & {_RESENT} <> 0 AND again.resend_of_id = email.id AND again.marks & {_COPY} = 0
      UNION SELECT again.id, again.status, again.sent_at, again.created_at
      FROM email AS again JOIN later ON again.resend_of_id = later.id WHERE again.marks & {_COPY} = 0
    ) SELECT status, sent_at, created_at FROM later)
    UNION ALL
    SELECT other.status, other.sent_at, other.created_at FROM email AS other
    WHERE email.contact_id IS NOT NULL AND other.contact_id = email.contact_id AND other.created_at > email.created_at
      AND other.type = email.type AND other.training_session_id IS NOT DISTINCT FROM email.training_session_id
      AND {_ABOUT.format("other")} = {_ABOUT.format("email")} AND other.marks & {_COPY} = 0
    UNION ALL
    SELECT other.status, other.sent_at, other.created_at FROM email AS other
    WHERE email.contact_id IS NULL AND other.address_id = email.address_id AND other.created_at > email.created_at
      AND other.type = email.type AND other.training_session_id IS NOT DISTINCT FROM email.training_session_id
      AND {_ABOUT.format("other")} = {_ABOUT.format("email")} AND other.marks & {_COPY} = 0
  ) AS follower"""
_ANSWERED = f"""EXISTS (SELECT FROM evaluation WHERE evaluation.training_session_id = email.training_session_id
      AND evaluation.contact_id = email.contact_id AND evaluation.answered_at IS NOT NULL
      AND (evaluation.moment = CASE email.type {_MOMENT} END OR email.type IN ({_EVALUATIONS})))
    AND NOT EXISTS (SELECT FROM evaluation WHERE email.type IN ({_EVALUATIONS})
      AND evaluation.training_session_id = email.training_session_id
      AND evaluation.contact_id = email.contact_id AND evaluation.answered_at IS NULL)"""
# The events that made the e-mail, or the one it repeats, and a payment of the same invoice.
_PAID = f"""email.type IN ({_TO_PAY}) AND EXISTS (
      SELECT FROM business_event AS told JOIN business_event AS paid
        ON paid.contact_id = told.contact_id AND paid.type = '{EmailType.INVOICE_PAID.value}'
        AND paid.organisation_id = told.organisation_id
        AND paid.payload #>> '{{data,invoice,number}}' = told.payload #>> '{{data,invoice,number}}'
      WHERE told.email_id IN (email.id, email.resend_of_id))"""

# An earlier run that waits for its moment is to send it: the later one leaves it to that.
_PLANNED = f"""EXISTS (
      SELECT FROM resend_row AS planned JOIN resend_run ON resend_run.id = planned.run_id
      WHERE planned.email_id = email.id AND planned.chosen AND planned.run_id < listed.run_id
        AND resend_run.state = '{RunState.WAITING.value}' AND resend_run.not_before > now())"""

# (position, verdict, matter, created_at, id) of the rows that WHERE takes; binds :today.
JUDGED = f"""
SELECT listed.run_id, listed.position, email.created_at, email.id, CASE
    WHEN email.status IN ('requested', 'uncertain') OR (email.status IN ('sent', 'delivered')
      AND coalesce(email.sent_at, email.created_at) > now() - interval '{SETTLED_AFTER.total_seconds():.0f} seconds')
      THEN '{Left.ON_ITS_WAY.value}'
    WHEN email.reason = '{Reason.NOT_PREPARED.value}' OR NOT EXISTS (
      SELECT FROM email_content WHERE email_content.email_id = email.id AND erased_at IS NULL) THEN '{Left.GONE.value}'
    WHEN email.reason = '{Reason.ADDRESS_SYNTAX.value}' THEN '{Left.WRONG_ADDRESS.value}'
    WHEN EXISTS (SELECT FROM suppression WHERE suppression.organisation_id = email.organisation_id
      AND suppression.lifted_at IS NULL AND suppression.address = {CANONICAL}) THEN '{Left.QUARANTINED.value}'
    WHEN email.reason IN ({_SILENT}) THEN '{Left.SILENT.value}'
    WHEN email.status IN ('delivered', 'opened') THEN '{Left.RECEIVED.value}'
    WHEN after.best = 3 THEN '{Left.ARRIVED_SINCE.value}'
    WHEN after.best = 2 THEN '{Left.RECENT.value}'
    WHEN {_PLANNED} THEN '{Left.PLANNED.value}'
    WHEN after.best = 1 THEN '{Left.RESENT.value}'
    WHEN email.status = 'sent' THEN '{Left.ACCEPTED.value}'
    WHEN email.type IN ({_BEFORE_THE_END}) AND (training.state IN ('finished', 'cancelled')
      OR training.ends_on < :today) THEN '{Left.SESSION_OVER.value}'
    WHEN email.type LIKE 'evaluation%' AND {_ANSWERED} THEN '{Left.ANSWERED.value}'
    WHEN {_PAID} THEN '{Left.PAID.value}'
    WHEN email.reason IN ('{Reason.TOO_BIG.value}', '{Reason.CONTENT.value}') THEN '{Left.SAME_AGAIN.value}'
  END AS verdict,
  concat_ws(' ', coalesce('c' || email.contact_id, 'a' || email.address_id), email.training_session_id, email.type,
    {_ABOUT.format("email")}) AS matter
FROM resend_row AS listed JOIN email ON email.id = listed.email_id JOIN address ON address.id = email.address_id
LEFT JOIN training_session AS training ON training.id = email.training_session_id
CROSS JOIN LATERAL ({_AFTER}) AS after
WHERE listed.run_id = :run"""
# The whole run: of several about the same matter only the newest goes.
JUDGE_ALL = f"""
UPDATE resend_row SET verdict = judged.verdict, chosen = judged.verdict IS NULL
FROM (
  SELECT run_id, position, CASE WHEN verdict IS NULL AND row_number() OVER (
      PARTITION BY matter, verdict ORDER BY created_at DESC, id DESC) > 1 THEN '{Left.TWICE.value}' ELSE verdict END
    AS verdict
  FROM ({JUDGED}) AS each
) AS judged
WHERE resend_row.run_id = judged.run_id AND resend_row.position = judged.position"""
# Some of its rows once more, when they are about to go.
JUDGE_AGAIN = f"SELECT position, verdict FROM ({JUDGED} AND listed.position = ANY(:positions)) AS each"

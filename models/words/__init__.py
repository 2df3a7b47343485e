"""The fixed vocabulary: statuses, reasons, kinds of fact, contacts, roles, permissions. Everybody imports it from here.

A leaf: it imports nothing of ours. Labels and sentences are French message ids (marked with N_, translated where they
are shown).
"""

from __future__ import annotations

from models.words.outcomes import MARK_OF_KIND, Chip, EventKind, Mark, Reason, Status, StatusGroup, Verdict, verdict
from models.words.rights import ALLOWED, Permission, Role
from models.words.things import ContactKind, EmailType, ExportState, QueueState, ReturnPath, SessionState
from models.words.word import N_, Word

__all__ = [
    "ALLOWED", "Chip", "ContactKind", "EmailType", "EventKind", "ExportState", "MARK_OF_KIND", "Mark", "N_",
    "Permission", "QueueState", "Reason", "ReturnPath", "Role", "SessionState", "Status", "StatusGroup", "Verdict",
    "Word", "verdict",
]  # fmt: skip

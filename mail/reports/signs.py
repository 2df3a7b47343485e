"""Loads signs.txt: the words by which a message shows what it is. Finding only; judging is kinds' business."""

from __future__ import annotations

from pathlib import Path

from mail.server_words import Phrases, load_sections

_SECTIONS = {name: Phrases(phrases) for name, phrases in load_sections(Path(__file__).with_suffix(".txt"))}

DAEMON_ADDRESS = _SECTIONS["daemon_address"]
SURE_DAEMON = _SECTIONS["sure_daemon"]
SYSTEM_SENTENCE = _SECTIONS["system_sentence"]
DAEMON_NAME = _SECTIONS["daemon_name"]
SUBJECT_FAILED = _SECTIONS["subject_failed"]
SUBJECT_DELAYED = _SECTIONS["subject_delayed"]
SUBJECT_FINAL = _SECTIONS["subject_final"]
SUBJECT_DELIVERED = _SECTIONS["subject_delivered"]
FAILED = _SECTIONS["failed"]
DELAYED = _SECTIONS["delayed"]
FINAL = _SECTIONS["final"]
DELIVERED = _SECTIONS["delivered"]
AUTOMATIC_SUBJECT = _SECTIONS["automatic_subject"]
ABSENCE_SUBJECT = _SECTIONS["absence_subject"]
ABSENCE_TEXT = _SECTIONS["absence_text"]
CHALLENGE = _SECTIONS["challenge"]
CHALLENGE_SERVICE = _SECTIONS["challenge_service"]
RETURNED_FOLLOWS = _SECTIONS["returned_follows"].plain
LABEL_ENDS = _SECTIONS["label_ends"].plain
LABEL_IS = frozenset(_SECTIONS["label_is"].plain)
LABEL_TO = frozenset(_SECTIONS["label_to"].plain)
LABEL_NEVER = _SECTIONS["label_never"].plain

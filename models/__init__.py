"""Columns, constraints, relations and tiny properties. No joins, no input or output, no request."""

from models.contact import Contact
from models.email import (
    Address,
    Attachment,
    Blob,
    Email,
    EmailContent,
    Mailing,
    OutboxEntry,
    Sender,
)
from models.event import DeliveryEvent, InboundMessage
from models.finding import Export, SavedView, Segment, SegmentMember
from models.organisation import ApiToken, Organisation, User
from models.training import Enrolment, Module, TrainingSession

__all__ = [
    "Address", "ApiToken", "Attachment", "Blob", "Contact", "DeliveryEvent", "Email", "EmailContent", "Enrolment",
    "Export",
    "InboundMessage", "Mailing", "Module", "Organisation", "OutboxEntry", "SavedView", "Segment", "SegmentMember",
    "Sender",
    "TrainingSession", "User",
]  # fmt: skip

"""Columns, constraints, relations and tiny properties. No joins, no input or output, no request."""

from models.account import Auth, Security, SmtpAccount
from models.audit import AuditAction, AuditEntry, AuditGroup, Channel
from models.away import ServerAway
from models.contact import Contact
from models.dkim_key import DkimKey
from models.document import Document, DocumentKind, Evaluation, EvaluationMoment
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
from models.figure import EmailFigure, Facet, FigureState, Grain, Outcome
from models.finding import Export, SavedView, Segment, SegmentMember
from models.opportunity import Opportunity, RecipientSpace, SpaceVisit, Stage, StageChange
from models.opt_out import LeftBy, OptOut
from models.organisation import ApiToken, Organisation, User
from models.pace import DrainBeat, PaceState
from models.planning import (
    Anchor,
    Automation,
    BillingSource,
    BusinessEvent,
    EventOutcome,
    PlannedEmail,
    PlanState,
    Rule,
    TrainingType,
)
from models.provider import ProviderAccount, ProviderCall, ProviderEvent
from models.resend_run import Left, ResendRow, ResendRun, RowOutcome, RunState
from models.retention import LeavingFile, Retention, RetentionWait
from models.sender_trial import SenderTrial, TrialPhase, TrialTrouble
from models.sighting import SeenMark, Sighting
from models.suppression import Grounds, Suppression
from models.template import Template, TemplateFormat, TemplateVersion
from models.training import Enrolment, Module, Programme, TrainingSession
from models.webhook import DeliveryState, OffReason, Trouble, WebhookDelivery, WebhookEndpoint, WebhookTry

__all__ = [
    "Address", "Anchor", "ApiToken", "Attachment", "AuditAction", "AuditEntry", "AuditGroup", "Auth", "Automation",
    "BillingSource", "Blob", "BusinessEvent", "Channel", "Contact", "DeliveryEvent", "DeliveryState", "DkimKey",
    "Document", "DocumentKind", "DrainBeat", "Email", "EmailContent", "EmailFigure", "Enrolment", "Evaluation",
    "EvaluationMoment", "EventOutcome", "Export", "Facet", "FigureState", "Grain", "Grounds", "InboundMessage",
    "LeavingFile", "Left", "LeftBy", "Mailing", "Module", "OffReason", "Opportunity", "OptOut", "Organisation",
    "OutboxEntry", "Outcome", "PaceState", "PlanState", "PlannedEmail", "Programme", "ProviderAccount", "ProviderCall",
    "ProviderEvent", "RecipientSpace", "ResendRow", "ResendRun", "Retention", "RetentionWait", "RowOutcome",
    "Rule", "RunState", "SavedView", "Security", "SeenMark", "Segment", "SegmentMember", "Sender", "SenderTrial",
    "ServerAway", "Sighting", "SmtpAccount", "SpaceVisit", "Stage", "StageChange", "Suppression", "Template",
    "TemplateFormat", "TemplateVersion", "TrainingSession", "TrainingType", "TrialPhase", "TrialTrouble", "Trouble",
    "User", "WebhookDelivery", "WebhookEndpoint", "WebhookTry",
]  # fmt: skip

"""What comes back by mail, made by the standard library: delivery reports, automatic replies, complaints.

Each function makes one message to the envelope's sender; delivering it is left to `smtp`. None answers a null
sender (RFC 3461, RFC 3834).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import Header, decode_header, make_header
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import formatdate, make_msgid
from typing import TypeVar

from local.postoffice.behaviours import Report

M = TypeVar("M", bound=Message)
HOST = "poste.example"
FROM = f"Poste d'essai <MAILER-DAEMON@{HOST}>"


@dataclass(frozen=True)
class Recipient:
    """One RCPT with its DSN options (RFC 3461)."""

    address: str
    notify: frozenset[str] = frozenset()  # empty: nothing was asked
    orcpt: str | None = None  # as given: "rfc822;…" in xtext

    def wants(self, action: str) -> bool:
        """Whether a report of this action is asked for: failures and delays unless told otherwise."""
        word = {"delivered": "SUCCESS", "failed": "FAILURE", "delayed": "DELAY"}[action]
        return word in (self.notify or {"FAILURE", "DELAY"})


@dataclass(frozen=True)
class Taken:
    """One message the post office answered 250 to."""

    sender: str  # the envelope's; "" for the null sender
    recipient: Recipient
    content: bytes
    envid: str | None = None  # in xtext, as given
    full: bool = False  # RET=FULL
    arrived: str = field(default_factory=lambda: formatdate(localtime=True))

    @property
    def header_bytes(self) -> bytes:
        """The message's own header, with its line ends made plain."""
        return self.content.replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n"


def delivery_report(taken: Taken, report: Report) -> Message:
    """RFC 3464, as operators send it: words, machine-readable part, the original or its header."""
    said = {
        "delivered": "Votre message a été remis à son destinataire.\nYour message was delivered.",
        "failed": "Votre message n'a pas pu être remis.\nYour message could not be delivered.",
        "delayed": "Votre message est retardé.\nYour message is delayed; no action is needed.",
    }[report.action]
    subject = {
        "delivered": "Successful Mail Delivery Report",
        "failed": "Undelivered Mail Returned to Sender",
        "delayed": "Delayed Mail (still being retried)",
    }[report.action]
    message = _envelope(_multipart("delivery-status"), taken, subject)
    message.attach(MIMEText(f"{said}\n\n<{taken.recipient.address}>: {report.diagnostic}\n", "plain", "utf-8"))
    about_message = Message()
    about_message["Reporting-MTA"] = f"dns; {HOST}"
    if taken.envid:
        about_message["Original-Envelope-Id"] = unxtext(taken.envid)
    about_message["Arrival-Date"] = taken.arrived
    about_recipient = Message()
    kind = "rfc822" if taken.recipient.address.isascii() else "utf-8"
    original = unxtext(taken.recipient.orcpt) if taken.recipient.orcpt else f"rfc822;{taken.recipient.address}"
    about_recipient["Original-Recipient"] = original
    about_recipient["Final-Recipient"] = f"{kind}; {taken.recipient.address}"
    about_recipient["Action"] = report.action
    about_recipient["Status"] = report.status
    about_recipient["Remote-MTA"] = f"dns; mx.{taken.recipient.address.rpartition('@')[2]}"
    about_recipient["Diagnostic-Code"] = report.diagnostic
    if report.action == "delayed":
        about_recipient["Will-Retry-Until"] = formatdate(time.time() + 2 * 86400, localtime=True)
    status = Message()
    status["Content-Type"] = "message/delivery-status"
    status.set_payload([about_message, about_recipient])
    message.attach(status)
    message.attach(_original(taken, full=taken.full and report.action == "failed"))
    return message


def automatic_reply(taken: Taken) -> Message:
    """RFC 3834: someone is away."""
    text = "Bonjour,\n\nje suis absent(e) et lirai votre message à mon retour.\nI am out of the office.\n"
    message = _envelope(MIMEText(text, "plain", "utf-8"), taken, f"Absence : Re: {_subject(taken)}")
    message.replace_header("From", taken.recipient.address)
    message.replace_header("Auto-Submitted", "auto-replied")
    if original := _header(taken)["Message-ID"]:
        message["In-Reply-To"] = message["References"] = original
    return message


def complaint(taken: Taken) -> Message:
    """RFC 5965: the recipient pressed "this is spam"."""
    message = _envelope(_multipart("feedback-report"), taken, f"FW: {_subject(taken)}")
    message.attach(MIMEText("Signalé comme indésirable. Reported as spam.\n", "plain", "utf-8"))
    about = Message()
    about["Feedback-Type"] = "abuse"
    about["User-Agent"] = "PracticePostOffice/1.0"
    about["Version"] = "1"
    about["Original-Mail-From"] = f"<{taken.sender}>"
    about["Original-Rcpt-To"] = f"<{taken.recipient.address}>"
    if taken.envid:
        about["Original-Envelope-Id"] = unxtext(taken.envid)
    feedback = Message()
    feedback["Content-Type"] = "message/feedback-report"
    feedback.set_payload(about.as_string())
    message.attach(feedback)
    message.attach(_original(taken, full=True))
    return message


def unxtext(text: str) -> str:
    """RFC 3461 section 4: +HH stands for one character."""
    return re.sub(r"\+([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)


def _envelope(message: M, taken: Taken, subject: str) -> M:
    message["From"] = FROM
    message["To"] = taken.sender
    message["Subject"] = subject if subject.isascii() else Header(subject, "utf-8").encode()
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=HOST)
    message["Auto-Submitted"] = "auto-replied"
    return message


def _multipart(report_type: str) -> MIMEMultipart:
    message = MIMEMultipart("report")
    message.set_param("report-type", report_type)
    return message


def _original(taken: Taken, full: bool) -> Message:
    """The third part: the whole message where asked for, else its header alone."""
    part = Message()
    header = taken.header_bytes
    if full:
        part["Content-Type"] = "message/rfc822"
        part.set_payload([message_from_bytes(taken.content.replace(b"\r\n", b"\n"), policy=compat32)])
    elif header.isascii():
        part["Content-Type"] = "text/rfc822-headers"
        part.set_payload(header.decode("ascii"))
    else:
        part["Content-Type"] = 'text/rfc822-headers; charset="utf-8"'
        part["Content-Transfer-Encoding"] = "8bit"
        part.set_payload(header.decode("ascii", "surrogateescape"))
    return part


def _header(taken: Taken) -> Message:
    return BytesHeaderParser(policy=compat32).parsebytes(taken.header_bytes)


def _subject(taken: Taken) -> str:
    return re.sub(r"\s+", " ", str(make_header(decode_header(_header(taken)["Subject"] or ""))))

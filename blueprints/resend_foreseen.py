"""What each way of sending an e-mail again would send, said before anybody presses: an exact copy, made anew with its
differences, a link in place of the attachments; or why a way is closed. Nothing is made by looking.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from errors import UserMistake
from extensions import db, settings
from i18n import N_, _
from mail import anew, copying, mime
from mail.anew import Made
from mail.resend import Mode, page_of
from mail.template_versions import Piece, compared
from models import Attachment, Email, EmailContent, Sender, User

_CHANGED = N_("Modifié depuis")
_MADE = N_("Sera généré de nouveau")
_SAME = N_("Inchangé")
_ADDED = N_("Ajouté")
_LEFT_OUT = N_("Ne sera plus joint")


@dataclass(frozen=True)
class FileChange:
    """A file and what becomes of it (a French message id, translated)."""

    name: str
    said: str
    same: bool = False


@dataclass
class Way:
    """One way: `why_not` is empty where it is open. Of one made anew, what would differ; nothing: all is as it was."""

    mode: Mode
    why_not: str = ""
    subject: str = ""
    sender: str = ""
    text: list[Piece] = field(default_factory=list)
    files: list[FileChange] = field(default_factory=list)
    compared: bool = True  # the text of the first time is there

    @property
    def differs(self) -> bool:
        return bool(self.subject or self.sender or self.text or any(not file.same for file in self.files))


def foreseen(email: Email, to: str, by: User) -> dict[Mode, Way]:
    """Every way, in the order of the form; an exact copy always is one, as long as its bytes are there."""
    ways = {Mode.COPY: Way(Mode.COPY), Mode.ANEW: Way(Mode.ANEW), Mode.LINK: Way(Mode.LINK)}
    content = db.session.get(EmailContent, email.id)
    if content is None or content.erased_at is not None:
        content = None
        ways[Mode.COPY].why_not = _("Le contenu de cet e-mail n'est plus conservé.")
    try:
        page_of(email)
    except UserMistake as mistake:
        ways[Mode.LINK].why_not = _(mistake.message, **mistake.values)
    if content is None:
        ways[Mode.LINK].why_not = ways[Mode.COPY].why_not
    try:
        made = anew.foresee(email, to, by)
        _compare(ways[Mode.ANEW], email, content, made)
        ways[Mode.ANEW].compared = content is not None
    except UserMistake as mistake:
        ways[Mode.ANEW].why_not = _(mistake.message, **mistake.values)
    return ways


def _compare(way: Way, email: Email, content: EmailContent | None, made: Made) -> None:
    draft = made.draft
    way.subject = draft.subject if _bare(draft.subject) != _bare(email.subject) else ""
    old = db.session.get_one(Sender, email.sender_id)
    way.sender = made.sender.address if made.sender.id != old.id else ""
    if content is not None:
        was = _settled(copying.text_of(content.skeleton) or mime.shown(content.skeleton).text or "")
        now = _settled(draft.text)
        way.text = compared(was, now) if _bare(was) != _bare(now) else []
    way.files = _files(email, made.files)


def _files(email: Email, now: Sequence[anew.Attached]) -> list[FileChange]:
    query = select(Attachment.filename, Attachment.sha256).where(Attachment.email_id == email.id)
    was = {row.filename: row.sha256 for row in db.session.execute(query.order_by(Attachment.position))}
    found = []
    for file in now:
        if file.sha256 is None:
            found.append(FileChange(file.filename, _(_MADE)))
        elif file.sha256 in was.values():
            found.append(FileChange(file.filename, _(_SAME), same=True))
        else:
            found.append(FileChange(file.filename, _(_CHANGED if file.filename in was else _ADDED)))
    names = {file.filename for file in now}
    kept = {file.sha256 for file in now}
    for name, sha256 in was.items():
        if name not in names and sha256 not in kept:
            found.append(FileChange(name, _(_LEFT_OUT)))
    return found


def _bare(text: str) -> str:
    """Words alone: blanks of another width are no difference."""
    return " ".join(text.split())


def _settled(text: str) -> str:
    """Without what is another's in each letter: the signed part of a personal address."""
    base = re.escape(settings().base_url)
    return re.sub(rf"({base}/[rf]/)[^\s)>\]]*", r"\1…", text.replace("\r\n", "\n")).strip() + "\n"

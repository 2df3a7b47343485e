"""One line a person of a session's document or evaluation: what is made, what was sent and what became of it, live.

The pages of blueprints.documents and blueprints.evaluations are made of these lines; the question that keeps them
live is answered by the same. What the lines say comes from documents.store and documents.sent.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response, make_response, render_template, request

from blueprints.history_cells import Cells
from documents.sent import Sent
from history import Row
from history.detail import rows_of
from mail import compose
from models import Contact, Document, Evaluation
from models.document import DocumentRun

# Live lines: seconds between two questions, how many without news before the next step; then silence.
_RHYTHM = ((4, 30), (15, 20), (60, 30))


@dataclass
class Line:
    """A person and where their document or evaluation stands. `stale`: would say something else if made now;
    `modified`: what was sent no longer is what it would say; `row`: the newest e-mail as the history shows it."""

    contact: Contact
    documents: list[Document] = field(default_factory=list)
    own: bool = True  # the document is this person's, not the session's or another's
    makeable: bool = True
    stale: bool = False
    modified: bool = False
    sent: Sent | None = None
    row: Row | None = None
    evaluation: Evaluation | None = None

    @property
    def problem(self) -> str | None:
        """Why nobody can write to this person (a French message id)."""
        return compose.unreachable(self.contact)

    @property
    def document(self) -> Document | None:
        return self.documents[0] if self.documents else None

    @property
    def missing(self) -> bool:
        """Whether it never was sent, or did not arrive."""
        return self.sent is None or self.sent.failed

    @property
    def seen(self) -> str:
        """Changes whenever the line does."""
        said = (
            self.row and (self.row.public_id, self.row.version), [d.id for d in self.documents], self.stale,
            self.modified, self.evaluation and str(self.evaluation.answered_at),
        )  # fmt: skip
        return f"{zlib.crc32(repr(said).encode()):08x}"


def with_rows(lines: Sequence[Line], organisation_id: int) -> list[Line]:
    """The lines with their e-mails as the history shows them."""
    ids = [line.sent.public_id for line in lines if line.sent]
    rows = {row.public_id: row for row in rows_of(organisation_id, ids)} if ids else {}
    for line in lines:
        line.row = rows.get(line.sent.public_id) if line.sent else None
    return list(lines)


@dataclass
class Live:
    """What the page asks again, and how soon. `calm` counts the answers without news."""

    address: str
    lines: Sequence[Line]
    run: DocumentRun | None = None
    calm: int = 0

    @property
    def seen(self) -> str:
        run = (self.run.id, self.run.done_count, bool(self.run.finished_at)) if self.run else ""
        return f"{zlib.crc32(repr([run, [line.seen for line in self.lines]]).encode()):08x}"

    @property
    def making(self) -> bool:
        """Whether documents are being made."""
        return self.run is not None and self.run.finished_at is None

    @property
    def seconds(self) -> int | None:
        """When to ask again; None when nothing moves."""
        if self.making:
            return 2
        calm = self.calm
        for seconds, times in _RHYTHM if any(line.row and not line.row.final for line in self.lines) else ():
            if calm < times:
                return seconds
            calm -= times
        return None

    def answer(self, template: str, **context: Any) -> Response:
        """The lines anew when they are no longer ?seen=; 286 once nothing more is expected."""
        calm = request.args.get("calm", "0")
        news = request.args.get("seen") != self.seen
        self.calm = 0 if news else min(int(calm) if calm.isdigit() and len(calm) < 4 else 0, 999) + 1
        said = render_template(template, live=self, news=news, lines=self.lines, cells=Cells("session"), **context)
        response = make_response(said, 200 if self.seconds else 286)
        response.headers["Cache-Control"] = "no-store"
        return response

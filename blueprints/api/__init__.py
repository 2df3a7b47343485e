"""/api/v1 for programs: e-mails, exports, contacts, segments, sessions, business events.

A module says its own routes; adding one is naming it here, and its tag in openapi. Shapes and examples: docs/api.md and
/api/v1/docs.
"""

from blueprints.api import (
    contacts,
    emails,
    evaluations,
    events,
    exports,
    me,
    openapi,
    segments,
    sending,
    sessions,
    suppressions,
    templates,
    uploads,
)
from blueprints.api.door import blueprint

__all__ = [
    "blueprint", "contacts", "emails", "evaluations", "events", "exports", "me", "openapi", "segments", "sending",
    "sessions", "suppressions", "templates", "uploads",
]  # fmt: skip

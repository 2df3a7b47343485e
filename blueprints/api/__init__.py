"""/api/v1 for programs: e-mails, contacts, segments, sessions. Shapes and examples: docs/api.md and /api/v1/docs."""

from blueprints.api import contacts, emails, me, openapi, segments, sending, sessions, uploads
from blueprints.api.door import blueprint

__all__ = ["blueprint", "contacts", "emails", "me", "openapi", "segments", "sending", "sessions", "uploads"]

"""The site map: every blueprint, its prefix; each view states its own guard with @allow (blueprints.support)."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from blueprints import reading, support, unwritable, written

# module → prefix; each module offers `blueprint`. The gallery is left out in production.
SITE_MAP = {
    "health": None,
    "sheets": None,
    "metrics": None,
    "auth": None,
    "first_run": None,
    "start": None,
    "help": None,
    "dashboard": None,
    "search": None,
    "sessions": "/sessions",
    "compose": "/sessions",
    "programmes": "/programmes",
    "documents": "/sessions",
    "evaluations": "/sessions",
    "answers": "/f",
    "completeness": "/sessions",
    "planned": "/sessions",
    "automations": None,
    "imports": None,  # before contacts: /contacts/import is no contact
    "contacts": "/contacts",
    "opportunities": "/opportunities",
    "spaces": None,
    "segments": "/segments",
    "views": None,
    "todo": None,
    "corrections": None,
    "assistance": None,
    "emails": "/emails",
    "attachments": "/emails",
    "proofs": "/emails",
    "quarantine_lists": None,  # before quarantine: its import is no address
    "quarantine": None,
    "reports": None,
    "told": "/settings/reports/told",
    "resending": "/emails",
    "bulk": None,
    "resend_runs": None,
    "exports": "/exports",
    "events": "/events",
    "domains": None,
    "settings": "/settings",
    "operations": "/settings/operations",
    "pace": "/settings/pace",
    "accounts": "/settings/accounts",
    "trials": "/settings",
    "templates": "/settings/templates",
    "template_versions": "/settings/templates",
    "look": "/settings/look",
    "retention": "/settings/retention",
    "training_types": "/settings/training-types",
    "tokens": "/settings/tokens",
    "billing_sources": "/settings/billing",
    "billing": "/inbound",
    "providers": "/settings/providers",
    "provider_calls": "/inbound",
    "webhooks": "/settings/webhooks",
    "audit": "/settings/audit",
    "api": "/api/v1",
    "track": "/t",
    "receipts": "/t",
    "leaving": None,
    "gallery": "/gallery",
}


def register(app: Flask) -> None:
    """Hang every blueprint on the app, with errors, headers and what every template may call."""
    support.setup(app)
    reading.setup(app)
    unwritable.setup(app)
    written.setup(app)
    for name, prefix in SITE_MAP.items():
        if name == "gallery" and app.extensions["sillage"].production:
            continue
        app.register_blueprint(import_module(f"blueprints.{name}").blueprint, url_prefix=prefix)

"""The demo's webhook: Atelier Cassiopée tells the page of the practice post office, which shows what it hears.

Its secret is one that both sides can make, so that the page can verify. That page may move to another port from one
start to the next: the address follows it.
"""

from __future__ import annotations

from sqlalchemy import select

from extensions import db, settings
from local.postoffice.receiver import practice_secret
from models import Organisation, User, WebhookEndpoint
from models.webhook import TYPES
from models.words import Role
from webhooks import addresses, endpoints, signing

NAME = "Poste d’essai"


def keep(organisation: Organisation | None, made: bool) -> None:
    """Make it with a demo just `made`; later only follow the port. Nothing where no practice page runs."""
    port = settings().practice_page_port
    if organisation is None or port is None or not settings().webhook_loopback:
        return
    url = addresses.read(f"http://127.0.0.1:{port}/webhooks", loopback=True).url
    mine = select(WebhookEndpoint).where(
        WebhookEndpoint.organisation_id == organisation.id, WebhookEndpoint.description == NAME
    )
    endpoint = db.session.scalar(mine)
    if endpoint is not None:
        if endpoint.url.endswith("/webhooks") and endpoint.url.startswith("http://127.0.0.1:"):
            endpoint.url = url
        return
    admin = db.session.scalar(select(User).where(User.organisation_id == organisation.id, User.role == Role.ADMIN))
    if made and admin is not None:
        endpoint, _secret = endpoints.create(admin, url, NAME, list(TYPES))
        endpoint.secret = signing.seal(practice_secret(settings().secret_key))

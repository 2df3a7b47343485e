"""The practice receiver of webhooks: what arrives at /webhooks of the post office's page is verified, kept and shown.

In memory, the newest hundred. It knows the secret that the demo gives its endpoint (practice_secret), and checks it by
the words of Standard Webhooks, not by the code that signs. /webhooks/500 (or any status) answers so, to try failures.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, abort, render_template, request

KEPT = 100
LONGEST = 256 * 1024
TOLERANCE = 300  # seconds a message may be old, or early
ENGLISH = {
    "Webhooks reçus": "Webhooks received",
    "Ce que Sillage annonce à l'adresse /webhooks de cette page, signature vérifiée.": (
        "What Sillage tells the address /webhooks of this page, its signature verified."
    ),
    "Aucun webhook pour l'instant.": "No webhook yet.",
    "Annonce": "News",
    "E-mail": "E-mail",
    "Signature": "Signature",
    "Tous les webhooks": "All webhooks",
    "bonne": "good",
    "mauvaise": "bad",
    "trop ancienne": "too old",
    "réponse": "answer",
}


def practice_secret(secret_key: str) -> str:
    """The secret of the demo's endpoint: both sides make it of the house's SECRET_KEY."""
    made = hmac.digest(secret_key.encode(), b"sillage practice webhook", hashlib.sha256)
    return "whsec_" + base64.b64encode(made).decode()


@dataclass
class Received:
    """One message: `verdict` is a French word of ENGLISH; `times` how often it came under the same webhook-id."""

    id: str
    at: datetime
    body: str
    verdict: str
    code: int
    type: str = ""
    email: str = ""
    times: int = 1


@dataclass
class Box:
    """What was received, the newest first."""

    secret: str
    received: deque[Received] = field(default_factory=lambda: deque(maxlen=KEPT))

    def take(self, headers: Any, body: bytes, code: int) -> None:
        """Keep a message, or count it once more."""
        verdict = verified(self.secret, headers, body, time.time())
        message_id = str(headers.get("webhook-id", ""))[:80]
        for known in self.received:
            if known.id == message_id and verdict == known.verdict:
                known.times, known.at, known.code = known.times + 1, datetime.now(UTC), code
                return
        said = _read(body)
        data = said.get("data")
        email = str(data.get("id", "")) if isinstance(data, dict) else ""
        pretty = json.dumps(said, ensure_ascii=False, indent=2) if said else body.decode("utf-8", "replace")
        self.received.appendleft(
            Received(message_id, datetime.now(UTC), pretty, verdict, code, str(said.get("type", ""))[:80], email[:40])
        )


def verified(secret: str, headers: Any, body: bytes, now: float) -> str:
    """bonne, mauvaise or trop ancienne: the signature of a message by Standard Webhooks."""
    message_id, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = message_id.encode() + b"." + moment.encode() + b"." + body
    expected = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
    shown = [part.partition(",") for part in headers.get("webhook-signature", "").split(" ")]
    good = base64.b64encode(expected).decode()
    if not any(version == "v1" and hmac.compare_digest(value.encode(), good.encode()) for version, _, value in shown):
        return "mauvaise"
    return "bonne" if moment.isdigit() and abs(now - int(moment)) <= TOLERANCE else "trop ancienne"


def register(app: Flask, secret: str) -> None:
    """Hang /webhooks on the post office's page."""
    box = Box(secret)

    @app.get("/webhooks")
    def webhooks() -> Response:
        received = list(box.received)
        opened = next((one for one in received if one.id == request.args.get("message")), None)
        response = Response(render_template("webhooks.html", received=received, opened=opened), mimetype="text/html")
        if opened is None:  # nobody is reading: look again by itself
            response.headers["Refresh"] = "5"
        return response

    @app.post("/webhooks")
    @app.post("/webhooks/<int:code>")
    def receive(code: int = 204) -> Response:
        if (request.content_length or 0) > LONGEST or not 200 <= code <= 599:
            abort(413 if code == 204 else 404)
        box.take(request.headers, request.get_data(), code)
        return Response(status=code)


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}

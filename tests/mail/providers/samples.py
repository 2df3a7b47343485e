"""The recorded webhooks among the samples: each as a call, with the secret it was made for and what it must yield."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from mail.providers import PROVIDERS
from mail.providers.event import Call, ProviderEvent, Refused, Secret, Unreadable

SAMPLES = Path(os.environ.get("SILLAGE_SAMPLES", "../shared/samples")) / "webhook"
# What django-anymail's own tests are set up with; their public keys are made anew at each run, so those who sign with
# one cannot be verified, only refused.
KEYS = {
    "mailgun": "TEST_WEBHOOK_SIGNING_KEY", "mailersend": "TEST_WEBHOOK_SIGNING_SECRET", "mandrill": "TEST_WEBHOOK_KEY",
    "resend": "whsec_VEVTVF9TSUdOSU5HX1NFQ1JFVA==",
}  # fmt: skip
ONE, ROTATED = ("username:password",), ("cred1:pass1", "cred2:pass2")
COMPARED = (
    "click_url", "description", "event_id", "event_type", "message_id", "metadata", "mta_response", "recipient",
    "reject_reason", "tags", "user_agent",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A recorded call."""

    provider: ModuleType
    row: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.provider.NAME} {self.row['test']}"

    @property
    def call(self) -> Call:
        headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for name, value in self.row["headers"].items()
        }
        return Call(headers | {"content-type": self.row["content_type"]}, self.row["body"].encode())

    @property
    def secret(self) -> Secret:
        """What the call was made for: a user and a password wherever one was sent or missed."""
        rotated = "credential_rotation" in self.row["test"] or "HttpBasicAuth" in self.row["test"]
        asked = "HTTP_AUTHORIZATION" in self.row["headers"] or "missing_auth" in self.row["test"]
        credentials = ROTATED if rotated else ONE if asked else ()
        path = self.row["path"] or ""
        url = path.replace("://", f"://{credentials[0]}@") if credentials else path
        return Secret(KEYS.get(self.provider.NAME, ""), credentials, url)

    @property
    def moment(self) -> datetime:
        """About when it was sent: the clock of its signature, or of its events."""
        headers, told = self.row["headers"], [e.get("timestamp") for e in self.row["events"]]
        if stamp := headers.get("HTTP_SVIX_TIMESTAMP"):
            return datetime.fromtimestamp(float(stamp), UTC)
        if self.provider.NAME == "mailgun":
            body = self.row["body"]
            if self.row["content_type"] == "application/json":
                return datetime.fromtimestamp(int(json.loads(body)["signature"]["timestamp"]), UTC)
            return datetime.fromtimestamp(int(body.split('name="timestamp"')[-1].split()[0]), UTC)
        return datetime.fromisoformat(told[0]) if told and told[0] else datetime.now(UTC)

    @property
    def verifiable(self) -> bool:
        """Whether it carries a proof that can be checked still."""
        return self.provider.NAME not in ("amazon_ses", "sendgrid", "postal") and self.row["path"] is not None

    def verified(self) -> bool:
        try:
            self.provider.verify(self.call, self.secret, self.moment)
        except Refused:
            return False
        return True

    def events(self) -> list[ProviderEvent] | None:
        try:
            return self.provider.parse(self.call)
        except Unreadable:
            return None


def samples() -> Iterator[Sample]:
    """Every recorded call of the providers that are ours; lists of bounces somebody exported are no calls."""
    for name, provider in PROVIDERS.items():
        path = SAMPLES / f"{name}.jsonl"
        for line in path.read_text().splitlines() if path.is_file() else ():
            row = json.loads(line)
            if row["class"] != "bounce-list-export":
                yield Sample(provider, row)


def right(event: ProviderEvent, label: dict[str, Any]) -> bool:
    """Whether an event says what its label says; of a label that says less, what it says."""
    return not differences(said(event), label)


def said(event: ProviderEvent) -> dict[str, Any]:
    """An event in the label's terms."""
    found = {name: getattr(event, name) for name in COMPARED}
    return found | {"timestamp": event.timestamp}


def differences(event: dict[str, Any], label: dict[str, Any]) -> list[str]:
    """The fields in which they differ. Numbers are compared as text, nested tags flat, moments to the second."""
    wrong = [name for name in COMPARED if name in label and _plain(event[name]) != _plain(label[name])]
    if "timestamp" in label and label["timestamp"]:
        given = label["timestamp"]
        wanted = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        if event["timestamp"] is None or abs((event["timestamp"] - wanted).total_seconds()) >= 1:
            wrong.append("timestamp")
    return wrong


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        flat = [inner for one in value for inner in (one if isinstance(one, list) else [one])]
        return [str(one) for one in flat if one is not None] or None
    if value in ("", {}, None):
        return None
    return str(value) if isinstance(value, int) else value


def basic(pair: str) -> str:
    """The header Authorization."""
    return "Basic " + base64.b64encode(pair.encode()).decode()

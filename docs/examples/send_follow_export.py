"""Send an e-mail, follow it until it has left, export the day: SILLAGE_URL and SILLAGE_TOKEN say where and who."""
import json
import os
import sys
import time
import urllib.request
from pathlib import Path


def ask(path, body=None):
    headers = {"Authorization": f"Bearer {os.environ['SILLAGE_TOKEN']}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(f"{os.environ['SILLAGE_URL']}/api/v1{path}", data, headers))

letter = {"recipients": [{"email": sys.argv[1]}], "subject": "Bonjour", "html": "<p>Bonjour !</p>", "type": "welcome"}
sent = json.load(ask("/emails", letter))["items"][0]
while (email := json.load(ask(f"/emails/{sent['id']}")))["status"] == "requested":
    time.sleep(1)
print(email["status"], email["reason"], [event["kind"] for event in email["events"]])
Path("emails.csv").write_bytes(ask("/emails/export?format=csv&type=welcome&period=day").read())

"""Send, follow each e-mail until nothing more is expected of it (72 hours at most), export the day as a workbook."""
import json
import os
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen


def ask(path, body=None):
    headers = {"Authorization": f"Bearer {os.environ['SILLAGE_TOKEN']}", "Content-Type": "application/json"}
    return urlopen(Request(os.environ["SILLAGE_URL"] + path, json.dumps(body).encode() if body else None, headers))

people = [{"email": address} for address in sys.argv[1:]]
letter = {"recipients": people, "subject": "Bonjour", "html": "<p>Bonjour !</p>", "type": "welcome"}
for sent in json.load(ask("/api/v1/emails", letter))["items"]:
    while not (email := json.load(ask(f"/api/v1/emails/{sent['id']}")))["final"]:
        time.sleep(1)
    print(email["recipient"], email["status"], email["reason"], [event["kind"] for event in email["events"]])
where = ask("/api/v1/exports", {"format": "xlsx", "type": ["welcome"], "period": "day"}).headers["Location"]
while "Retry-After" in (answer := ask(where)).headers:
    time.sleep(int(answer.headers["Retry-After"]))
export = json.load(answer)
Path(export["filename"]).write_bytes(ask(export["file"]).read())

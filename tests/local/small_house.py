"""`python -m tests.local.small_house`: the real supervisor over real servers, with small children in place of ours."""

import sys

from local.__main__ import House, main
from local.supervisor import Child

READY = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
# It ignores a polite end, and so does its own child, in a process group of its own as RQ's horses are.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgrp()
time.sleep(600)
"""


def before(env):
    return [Child("first", [sys.executable, "-c", "import os; print(os.environ['DATABASE_URL'])"])]


def children(ports, env):
    return [
        Child("postoffice", [sys.executable, "-c", "import time; time.sleep(600)"], last=True),
        Child("web", [sys.executable, "-c", READY, str(ports.web)]),
        Child("worker", [sys.executable, "-c", "import time; time.sleep(600)", "worker.py"]),
        Child("faulty", [sys.executable, "-c", "raise SystemExit('out of paper')"]),
        *([Child("stubborn", [sys.executable, "-c", STUBBORN])] if env.get("STUBBORN") else []),
    ]


if __name__ == "__main__":
    sys.exit(main(lambda places, asked: House(places, asked, before, children)))

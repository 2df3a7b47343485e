"""What a machine may lack: `need("postfix")` gives the program's path.

Without it the test is passed over with a sentence that says what to install; under REQUIRE_ALL=1, as continuous
integration runs, its absence is a failure: there nothing is left out.
"""

from __future__ import annotations

import os
import shutil

import pytest

# name → (programs that will do, the Debian package that has them)
PROGRAMS = {
    # without windows it starts and draws with a sixth less work than the whole browser
    "chromium": (
        ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"), "chromium-headless-shell"
    ),
    "postfix": (("postfix",), "postfix"),
    "dovecot": (("dovecot",), "dovecot-imapd"),
    "faketime": (("faketime",), "faketime"),
    "libreoffice": (("soffice", "libreoffice"), "libreoffice-calc-nogui"),
}
# Debian keeps servers where an ordinary user's PATH does not lead.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin"])


def need(name: str) -> str:
    """The path of a program of PROGRAMS ("" for "root", who alone may start Postfix); else the test ends here, as it
    does for "mount", asked for by whoever could not."""
    if name == "mount":
        return _without("mount", "a disk that can be full is mounted by root, where the machine lets it")
    if name == "root":
        return "" if os.geteuid() == 0 else _without("root", "a private Postfix is started by root only")
    programs, package = PROGRAMS[name]
    for program in programs:
        if path := shutil.which(program, path=_PATH):
            return path
    return _without(name, f"apt-get install {package}")


def _without(name: str, words: str) -> str:
    sentence = f"{name} is not here: {words}"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)

"""Fetch the front-end files we serve and pin them: `python tools/vendor.py` (needs npm).

Promises that each file of static/vendor and tests/vendor is byte for byte the one of the published package,
with its licence beside it and its sha256 in VENDOR.json (tests/test_vendor.py holds them to it). Builds the
icon sprite too, from tools/icons.txt. Run only to change a version or an icon; nothing here runs in production.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "static" / "vendor" / "VENDOR.json"
TABLER_LICENCE = "static/vendor/tabler.LICENSE"


@dataclass(frozen=True)
class Package:
    """One npm package: `files` maps a path inside the package to a path in this repository."""

    name: str
    version: str
    licence: str
    files: dict[str, str]


PACKAGES = (
    Package("@tabler/core", "1.6.1", "MIT", {
        "dist/css/tabler.min.css": "static/vendor/tabler-1.6.1.min.css",
    }),
    Package("htmx.org", "2.0.11", "0BSD", {
        "dist/htmx.min.js": "static/vendor/htmx-2.0.11.min.js",
        "LICENSE": "static/vendor/htmx.LICENSE",
    }),
    Package("@fontsource-variable/inter", "5.3.0", "OFL-1.1", {
        "files/inter-latin-wght-normal.woff2": "static/vendor/inter-5.3.0-latin.woff2",
        "files/inter-latin-ext-wght-normal.woff2": "static/vendor/inter-5.3.0-latin-ext.woff2",
        "LICENSE": "static/vendor/inter.LICENSE",
    }),
    Package("@tabler/icons", "3.51.0", "MIT", {"LICENSE": "static/vendor/tabler-icons.LICENSE"}),
    Package("axe-core", "4.14.1", "MPL-2.0", {
        "axe.min.js": "tests/vendor/axe.min.js",
        "LICENSE": "tests/vendor/axe.LICENSE",
    }),
)

# The sprite holds these outline icons of @tabler/icons, one a line; the name is the id.
ICONS = (ROOT / "tools" / "icons.txt").read_text().split()


def fetch(package: Package, folder: Path) -> tarfile.TarFile:
    """The package's published tarball, opened. Raises CalledProcessError when npm cannot get it."""
    done = subprocess.run(
        ["npm", "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", str(folder)],
        check=True, capture_output=True, text=True, cwd=folder,
    )
    return tarfile.open(folder / done.stdout.strip().splitlines()[-1])


def member(archive: tarfile.TarFile, path: str) -> bytes:
    """The bytes of one file of the tarball. Raises KeyError when it is not there."""
    handle = archive.extractfile(f"package/{path}")
    if handle is None:
        raise KeyError(path)
    return handle.read()


def sprite(archive: tarfile.TarFile) -> str:
    """One SVG of <symbol>s from the outline icons named in ICONS."""
    symbols = []
    for name in sorted(ICONS):
        source = member(archive, f"icons/outline/{name}.svg").decode()
        shapes = re.search(r"<svg[^>]*>(.*)</svg>", source, re.S)
        if shapes is None:
            raise ValueError(f"{name}: not an SVG")
        body = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none" ?/>', "", shapes.group(1))
        body = re.sub(r"\s*\n\s*", "", body).strip()
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg">\n'
        "<!-- @tabler/icons 3.51.0, MIT, see vendor/tabler-icons.LICENSE -->\n"
        + "\n".join(symbols) + "\n</svg>\n"
    )


def main() -> None:
    """Fetch every package, write its files, the sprite and the manifest; what is not npm's stays as it is."""
    ours = {package.name for package in PACKAGES}
    others = [entry for entry in json.loads(MANIFEST.read_text()) if entry["name"] not in ours]
    entries = []
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            archive = fetch(package, Path(scratch))
            contents = {target: member(archive, path) for path, target in package.files.items()}
            if package.name == "@tabler/icons":
                contents["static/icons.svg"] = sprite(archive).encode()
            if package.name == "@tabler/core":  # its tarball has no licence file, so ours is kept
                contents[TABLER_LICENCE] = (ROOT / TABLER_LICENCE).read_bytes()
            for target, data in contents.items():
                (ROOT / target).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / target).write_bytes(data)
            entries.append({
                "name": package.name, "version": package.version, "licence": package.licence,
                "files": {target: hashlib.sha256(data).hexdigest() for target, data in contents.items()},
            })
    MANIFEST.write_text(json.dumps(entries + others, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""The practice name server's records: which names exist here, and what they say.

`Zones` keeps them (in a JSON file, where it is given one) while threads read and a person changes them. What is not
there does not exist. The values are checked as they come in; asking over the network is `nameserver`'s.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.tokenizer

# What a person may write here. FAIL and SILENT are no records: the name's server says it failed, or nothing at all.
KINDS = ("TXT", "MX", "A", "AAAA", "CNAME", "PTR", "FAIL", "SILENT")
_STRING = 255  # bytes of one string of a TXT record (RFC 1035, 3.3)
_LONGEST = 4000


class WrongRecord(ValueError):
    """A record that no name server would take; its text says why, in English, as name servers do."""


@dataclass(frozen=True, order=True)
class Record:
    """One record: an absolute name without its last dot, in lower case; the value as a zone file has it.

    A TXT value is kept as one plain text, without quotes.
    """

    name: str
    kind: str
    value: str

    @classmethod
    def checked(cls, name: str, kind: str, value: str) -> Record:
        """The record as a person typed it, put straight. Raises WrongRecord."""
        name, kind, value = name.strip().rstrip(".").lower(), kind.strip().upper(), value.strip()
        if kind not in KINDS:
            raise WrongRecord(f"{kind}: not a type kept here")
        if not name or len(value) > _LONGEST or not value.isascii():
            raise WrongRecord("empty name, value too long or not ASCII")
        try:
            name = _name(name).to_text(omit_final_dot=True).lower()
            record = cls(name, kind, _unquoted(value) if kind == "TXT" else value)
            record.rdata()
        except (dns.exception.DNSException, ValueError) as error:
            raise WrongRecord(str(error) or type(error).__name__) from None
        return record

    def rdata(self) -> dns.rdata.Rdata | None:
        """As it travels; None for FAIL and SILENT."""
        if self.kind in ("FAIL", "SILENT"):
            return None
        if self.kind == "TXT":
            content = self.value.encode("ascii")
            strings = [content[at : at + _STRING] for at in range(0, len(content), _STRING)] or [b""]
            return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)
        return dns.rdata.from_text("IN", self.kind, self.value, origin=dns.name.root, relativize=False)


class Zones:
    """The records, begun with `first`; kept in `file` from the first change on."""

    def __init__(self, first: Iterable[Record] = (), file: Path | None = None) -> None:
        self._first = tuple(sorted(set(first)))
        self._file = file
        self._lock = threading.Lock()
        self._records = self._kept()

    @property
    def records(self) -> tuple[Record, ...]:
        """All of them, sorted."""
        return self._records

    def at(self, name: str) -> list[Record]:
        """The records of `name`."""
        return [record for record in self._records if record.name == name]

    def exists(self, name: str) -> bool:
        """Whether `name` has a record, or something below it has (RFC 8020)."""
        return any(record.name == name or record.name.endswith(f".{name}") for record in self._records)

    def add(self, record: Record) -> None:
        """Add it; once is enough."""
        self._change({*self._records, record})

    def remove(self, record: Record) -> None:
        """Take it away; gone is gone."""
        self._change(set(self._records) - {record})

    def replace(self, old: Record, new: Record) -> None:
        """Change one record in one step; an `old` that is gone was changed by someone else, and `new` stands beside."""
        self._change((set(self._records) - {old}) | {new})

    def reset(self) -> None:
        """Back to the first records."""
        self._change(set(self._first))

    def _change(self, records: set[Record]) -> None:
        with self._lock:
            self._records = tuple(sorted(records))
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                half = self._file.with_suffix(".new")
                half.write_text(json.dumps([asdict(record) for record in self._records], indent=1))
                half.replace(self._file)

    def _kept(self) -> tuple[Record, ...]:
        """What the file keeps; the first records where there is none, or none that can be read."""
        if self._file is None:
            return self._first
        try:
            found = json.loads(self._file.read_text())
            return tuple(sorted({Record.checked(**one) for one in found}))
        except (OSError, ValueError, TypeError):
            return self._first


def _name(name: str) -> dns.name.Name:
    return dns.name.from_text(name + ".", idna_codec=dns.name.IDNA_2008_UTS_46)


def _unquoted(value: str) -> str:
    """The text of a TXT value, whether typed plainly or as a zone file's quoted strings."""
    if not value.startswith('"'):
        return value
    words = dns.tokenizer.Tokenizer(value)
    return "".join(token.value for token in words.get_remaining())

"""A template's words over time: what is wrong with them, saving a version, going back, copying, comparing.

Versions are never changed and the highest number is in use. Whoever saves names the version they began from: where
somebody has saved another since, nothing is written and Conflict says which, so that no words are lost.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from errors import UserMistake
from extensions import db
from mail import merge_tags, tag_list, templates
from mail.compose import Writing
from mail.letters import Words
from models import Organisation, Template, TemplateVersion, User
from models.template import TemplateFormat
from models.words import N_, ContactKind

WORDS = ("subject_fr", "message_fr", "text_fr", "subject_en", "message_en", "text_en")
# French message ids of what each part is called
PARTS = {
    "format": N_("Format"), "subject_fr": N_("Objet"), "message_fr": N_("Message"), "text_fr": N_("Texte seul"),
    "subject_en": N_("Objet en anglais"), "message_en": N_("Message en anglais"),
    "text_en": N_("Texte seul en anglais"),
}  # fmt: skip
UNKNOWN = N_("La balise %(tag)s n'existe pas pour ce modèle.")
_LACKING = N_("La balise %(tag)s n'existe pas pour ce type de destinataire : %(kind)s")
# Above this many pairs of words, lines are compared whole: comparing is quadratic at worst.
_MOST_PAIRS = 250_000
_PIECES = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}|\w+|\s+|[^\w\s]")


class Conflict(Exception):
    """Somebody saved `theirs` after the version one began from."""

    def __init__(self, theirs: TemplateVersion) -> None:
        super().__init__(theirs.number)
        self.theirs = theirs


@dataclass(frozen=True)
class Problem:
    """What is wrong with one part: `message` (a French message id) with `values`, the line it stands on, and the tag
    that was perhaps meant. `kind` is the kind of recipient that lacks the tag; its label goes into `values`."""

    field: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    meant: str = ""
    kind: ContactKind | None = None


def problems(type: str, kinds: Sequence[ContactKind], words: Mapping[str, Words]) -> list[Problem]:
    """Everything that keeps these words from being sent to these kinds of recipient, in the order of the form."""
    found: list[Problem] = []
    for language, said in words.items():
        parts = (("subject", said.subject, False), ("message", said.message, said.html), ("text", said.text, False))
        for part, source, html in parts:
            found += _of_part(f"{part}_{language}", source, html, type, kinds)
    if found:
        return found
    try:
        # what only the whole letter shows: a condition that the sanitiser cut in two, a text that is too long
        Writing(type, words, Organisation(name="", timezone="UTC", accent="")).check({})
    except UserMistake as mistake:
        found.append(Problem(mistake.field or "message_fr", mistake.message, mistake.values))
    return found


def _of_part(
    name: str, source: str, html: bool, type: str, kinds: Sequence[ContactKind]
) -> Iterator[Problem]:  # fmt: skip
    if not source.strip():
        if not name.startswith("text"):
            empty = N_("L'objet est vide.") if name.startswith("subject") else N_("Le message est vide.")
            yield Problem(name, empty)
        return
    try:
        used = merge_tags.compiled(source, html=html, field=name).names
    except UserMistake as mistake:
        where = str(mistake.values.get("where", ""))
        yield Problem(name, mistake.message, mistake.values, _line(name, source, source.find(where)) if where else None)
        return
    allowed = {kind: {tag.name for tag in tag_list.tags_of_type(type, [kind])} for kind in kinds}
    everywhere = set().union(*allowed.values())
    for tag, at in sorted(((tag, _place(source, tag)) for tag in used), key=lambda pair: (pair[1], pair[0])):
        written, line = "{{ " + tag + " }}", _line(name, source, at)
        if tag not in everywhere:
            near = difflib.get_close_matches(tag, sorted(everywhere), 1, 0.6)
            yield Problem(name, UNKNOWN, {"tag": written}, line, "{{ " + near[0] + " }}" if near else "")
            continue
        for kind in kinds:
            if tag not in allowed[kind]:
                yield Problem(name, _LACKING, {"tag": written}, line, kind=kind)
                break


def _place(source: str, tag: str) -> int:
    match = re.search(r"\{[{%][^{}]{0,300}?(?<![\w.])" + re.escape(tag) + r"(?![\w.])", source)
    return match.start() if match else len(source)


def _line(name: str, source: str, at: int) -> int | None:
    return None if name.startswith("subject") or not 0 <= at < len(source) else source.count("\n", 0, at) + 1


def columns_of(version: TemplateVersion) -> dict[str, Any]:
    """What a version says, by column."""
    return {"format": version.format} | {name: getattr(version, name) for name in WORDS}


def save(
    template: Template, columns: Mapping[str, Any], *, base: int, by: User | None, note: str = ""
) -> TemplateVersion:  # fmt: skip
    """Make these words the version in use, in the caller's transaction; words unchanged make no version.

    Raises Conflict where the version in use is no longer `base`.
    """
    db.session.execute(select(Template.id).where(Template.id == template.id).with_for_update())
    query = select(TemplateVersion).where(TemplateVersion.template_id == template.id)
    latest = db.session.scalars(query.order_by(TemplateVersion.number.desc()).limit(1)).one()
    if latest.number != base:
        raise Conflict(latest)
    if dict(columns) == columns_of(latest):
        return latest
    made = TemplateVersion(
        organisation_id=template.organisation_id, template_id=template.id, number=latest.number + 1,
        author_id=by.id if by else None, note=note, **columns,
    )  # fmt: skip
    db.session.add(made)
    db.session.flush()
    db.session.expire(template, ["versions"])
    return made


def latest_number(template: Template) -> int:
    """The number of the version in use, asked of the database."""
    query = select(func.max(TemplateVersion.number)).where(TemplateVersion.template_id == template.id)
    return db.session.scalar(query) or 0


def copy(template: Template, type: str, kind: str, *, name: str, by: User | None, note: str) -> Template:
    """These words for another type or kind of recipient: a template of its own (off), or a new version of the one
    that is there; in the caller's transaction."""
    columns = columns_of(templates.newest(template))
    query = select(Template).where(
        Template.organisation_id == template.organisation_id, Template.type == type, Template.kind == kind
    )
    target = db.session.scalars(query).one_or_none()
    if target is not None:
        save(target, columns, base=latest_number(target), by=by, note=note)
        return target
    target = Template(
        organisation_id=template.organisation_id, type=type, kind=kind, name=name, form_url=template.form_url,
        sender_id=template.sender_id, track_links=template.track_links,
        files=list(template.files) if type == template.type else templates.default_files(type),
    )  # fmt: skip
    target.versions = [
        TemplateVersion(
            organisation_id=template.organisation_id, number=1, author_id=by.id if by else None, note=note, **columns
        )
    ]
    db.session.add(target)
    db.session.flush()
    return target


@dataclass(frozen=True)
class Piece:
    """A stretch of a text that is in both (`same`), only in the older (`del`) or only in the newer (`ins`)."""

    kind: str
    text: str


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], format_label: Mapping[TemplateFormat, str]
) -> list[tuple[str, list[Piece]]]:  # fmt: skip
    """(the part's message id, its pieces) for each part that differs between two versions' columns."""
    found = []
    for name, label in PARTS.items():
        before, after = old[name], new[name]
        if before != after:
            if name == "format":
                before, after = format_label[before], format_label[after]
            found.append((label, compared(before, after)))
    return found


def compared(old: str, new: str) -> list[Piece]:
    """Both texts in one, word by word where lines differ: the `same` and `del` pieces give `old` back, the `same`
    and `ins` ones `new`."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    pieces: list[Piece] = []
    for change, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        removed, added = "".join(before[i:j]), "".join(after[k:m])
        if change == "equal":
            pieces.append(Piece("same", removed))
        else:
            pieces += _by_words(removed, added)
    return _merged(pieces)


def _by_words(removed: str, added: str) -> Iterator[Piece]:
    before, after = _PIECES.findall(removed), _PIECES.findall(added)
    if not before or not after or len(before) * len(after) > _MOST_PAIRS:
        yield Piece("del", removed)
        yield Piece("ins", added)
        return
    gone = come = ""
    for change, i, j, k, m in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        same, last = "".join(before[i:j]), j == len(before) and m == len(after)
        if change != "equal":
            gone, come = gone + same, come + "".join(after[k:m])
        elif (gone or come) and not last and len(same) < 3 and "\n" not in same and not same.isalnum():
            gone, come = gone + same, come + same  # a blank between two changes is read with them
        else:
            yield from (Piece("del", gone), Piece("ins", come), Piece("same", same))
            gone = come = ""
    yield from (Piece("del", gone), Piece("ins", come))


def _merged(pieces: Sequence[Piece]) -> list[Piece]:
    """Without empty pieces; neighbours of a kind in one."""
    found: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if found and found[-1].kind == piece.kind:
            found[-1] = Piece(piece.kind, found[-1].text + piece.text)
        else:
            found.append(piece)
    return found

"""The page of a proof that people read: one PDF that says what was sent, what became of it, who acted, and how whoever
doubts it can check it. In the reader's language; nothing a stranger wrote is read as markup (documents.printing)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from documents import dates, printing
from history.detail import Detail
from history.proof import SUMS, Proof
from i18n import _, language, size_filter
from mail.signature_check import Signature
from models import Organisation

_LONG = re.compile(r"(\S{28})(?=\S)")


@dataclass(frozen=True)
class Told:
    """What the page says besides the e-mail itself. `intact`: whether the message's bytes are those of the request;
    None where they are kept no more."""

    organisation: Organisation
    by: str
    at: datetime
    message_id: str
    intact: bool | None
    signature: Signature | None
    story: list[tuple[datetime, str, str, str]]  # when, what, from whom or how, the server's own words
    log: list[tuple[datetime, str, str]]  # when, who, what
    names: list[str]  # of the archive's files


def pdf(proof: Proof, told: Told) -> bytes:
    """The page, of the day it was asked for."""
    day = dates.local_day(told.at, told.organisation.timezone)
    return printing.pdf("sheet.typ", _breakable(said(proof, told)), printing.Look.of(told.organisation), day)


def said(proof: Proof, told: Told) -> dict[str, Any]:
    """Everything the page says: what typst gets."""
    organisation, heading = told.organisation, _("Dossier de preuve")
    lines = [line.strip() for line in organisation.address.splitlines() if line.strip()]
    data: dict[str, Any] = printing.printable({
        "language": language(), "title": f"{heading} – {proof.detail.row.public_id}", "heading": heading, "wide": False,
        "organisation": {"name": organisation.name, "lines": lines}, "to": None,
        "dated": _("Établi par %(name)s le %(moment)s", name=told.by, moment=_moment(told.at, organisation)),
        "footer": f"{organisation.name} – {proof.detail.row.public_id}", "blocks": _blocks(proof, told),
    })  # fmt: skip
    return data


def _blocks(proof: Proof, told: Told) -> list[dict[str, Any]]:
    row = proof.detail.row
    blocks: list[dict[str, Any]] = [
        _para(_(
            "Ce dossier réunit ce que %(name)s sait d'un e-mail : ce qui a été envoyé, ce qu'il est devenu, et qui a "
            "agi. Les fichiers qui l'accompagnent permettent de le vérifier sans nous.", name=told.organisation.name,
        )),
        _heading(_("L'e-mail")),
        _facts([
            (_("Objet"), row.subject),
            (_("De"), f"{proof.detail.sender_name} <{row.sender_address}>"),
            (_("À"), f"{row.recipient_name} <{row.address}>" if row.recipient_name else row.address),
            (_("Session"), row.session_title or ""), (_("Type"), _(row.type_label)),
            (_("Demandé"), _by(_moment(row.created_at, told.organisation), row.requested_by)),
            (_("Envoyé"), _moment(row.sent_at, told.organisation) if row.sent_at else _("pas envoyé")),
            (_("Statut"), f"{_(row.status.label)} : {_(row.status.meaning)}"),
            (_("Motif"), _(row.reason.label) if row.reason else ""),
            (_("Numéro"), row.public_id), ("Message-ID", told.message_id),
        ]),
        _heading(_("Ce qui s'est passé")),
        _table([_("Quand"), _("Quoi"), _("Réponse du serveur")], [
            [_moment(at, told.organisation), f"{title} ({sub})" if sub else title, words]
            for at, title, sub, words in told.story
        ], ["auto", "1fr", "1fr"]),
    ]  # fmt: skip
    if proof.pieces:
        blocks += [_heading(_("Pièces jointes et leur SHA-256")), _facts([
            (f"{number}", f"{piece.filename} ({size_filter(piece.size)})\n{piece.sha256}")
            for number, piece in enumerate(proof.pieces, 1)
        ])]  # fmt: skip
    if told.log:
        blocks += [_heading(_("Qui a fait quoi")), _table(
            [_("Quand"), _("Qui"), _("Action")],
            [[_moment(at, told.organisation), who, what] for at, who, what in told.log], ["auto", "1fr", "1fr"],
        )]  # fmt: skip
    blocks += [_heading(_("Intégrité")), _facts(_integrity(proof.detail, told))]
    blocks += [_heading(_("Comment vérifier")), _list([
        _("« sha256sum -c %(file)s » dit si un fichier de ce dossier a changé depuis qu'il a été établi.", file=SUMS),
        _("L'empreinte SHA-256 de message.eml est celle que l'historique garde depuis la demande : mot pour mot, ce "
          "qui a été envoyé."),
        _("Un logiciel de vérification DKIM dit, à partir de message.eml, si la signature est bonne, tant que la clé "
          "est publiée."),
        _("Les messages du dossier rapports sont tels que le serveur du destinataire nous les a envoyés."),
    ])]  # fmt: skip
    blocks += [_heading(_("Ce que ce dossier ne dit pas")), _para(
        _("« Reçu » veut dire accepté par le serveur du destinataire ; « ouvert », que les images ont été chargées ou "
          "un lien suivi. Ni l'un ni l'autre ne prouve qu'une personne a lu l'e-mail, ni son absence qu'elle ne l'a "
          "pas lu.")
    )]  # fmt: skip
    return [*blocks, _heading(_("Les fichiers de ce dossier")), _list(told.names)]


def _integrity(detail: Detail, told: Told) -> list[tuple[str, str]]:
    kept = {
        None: _("Le contenu n'est plus conservé : il reste son empreinte."),
        True: _("Les octets conservés ont cette empreinte : rien n'a changé depuis la demande."),
        False: _("ATTENTION : les octets conservés n'ont pas cette empreinte."),
    }[told.intact]
    found = [
        (_("Taille"), size_filter(detail.size) if detail.size else ""), ("SHA-256", detail.sha256 or ""),
        (_("Message"), kept),
    ]  # fmt: skip
    if told.signature is not None:
        found.append(("DKIM", _signed(told.signature)))
    elif told.intact is not None:
        said = _("Signé, le cas échéant, par le serveur d'envoi après son départ d'ici : cette signature est dans "
                 "l'e-mail que le destinataire a reçu.")  # fmt: skip
        found.append(("DKIM", said))
    return found


def _signed(found: Signature) -> str:
    if not found.body or found.headers is False:
        verdict = _("ATTENTION : la signature ne correspond pas à ces octets.")
    elif found.headers is None:
        verdict = _("Le corps est celui qui a été signé ; la clé n'est plus connue ici pour les en-têtes.")
    else:
        verdict = _("Signature vérifiée : en-têtes et corps sont ceux qui ont été signés.")
    return " ".join([verdict, _("Clé : %(name)s", name=found.record)])


def _moment(at: datetime | None, organisation: Organisation) -> str:
    return f"{at.astimezone(ZoneInfo(organisation.timezone)):%d/%m/%Y %H:%M:%S %z}" if at else ""


def _by(moment: str, name: str | None) -> str:
    return _("%(moment)s par %(name)s", moment=moment, name=name) if name else moment


def _breakable(value: Any) -> Any:
    """The same, words longer than a line free to break."""
    if isinstance(value, str):
        return _LONG.sub("\\1\u200b", value)
    if isinstance(value, dict):
        return {key: _breakable(item) for key, item in value.items()}
    return [_breakable(item) for item in value] if isinstance(value, list) else value


def _para(text: str) -> dict[str, Any]:
    return {"type": "para", "text": text}


def _heading(text: str) -> dict[str, Any]:
    return {"type": "heading", "text": text}


def _facts(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    return {"type": "facts", "facts": [[name, value] for name, value in pairs if value]}


def _list(items: list[str]) -> dict[str, Any]:
    return {"type": "list", "items": items}


def _table(head: list[str], rows: list[list[str]], widths: list[str]) -> dict[str, Any]:
    return {"type": "table", "head": head, "rows": rows, "widths": widths, "right": [], "foot": 0}

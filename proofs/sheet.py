"""The page of a proof that people read: one PDF that says what was sent, what became of it, who acted, and how whoever
doubts it can check it. In the reader's language; nothing a stranger wrote is read as markup (documents.printing)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from history.detail import Detail
from history.proof import SUMS, Proof
from i18n import _, size_filter
from mail.signature_check import Signature
from proofs import blocks as b
from proofs.taker import Taker


@dataclass(frozen=True)
class Told:
    """What the page says besides the e-mail itself. `intact`: whether the message's bytes are there and those of the
    request; None where they are kept no more."""

    message_id: str
    intact: bool | None
    signature: Signature | None
    story: list[tuple[datetime, str, str, str]]  # when, what, from whom or how, the server's own words
    log: list[tuple[datetime, str, str]]  # when, who, what
    names: list[str]  # of the archive's files


def pdf(taker: Taker, proof: Proof, told: Told) -> bytes:
    """The page, of the day it was asked for."""
    return b.printed(taker, said(taker, proof, told))


def said(taker: Taker, proof: Proof, told: Told) -> dict[str, Any]:
    """Everything the page says: what typst gets."""
    return b.document(taker, proof.detail.row.public_id, _blocks(taker, proof, told))


def _blocks(taker: Taker, proof: Proof, told: Told) -> list[dict[str, Any]]:
    row = proof.detail.row
    blocks: list[dict[str, Any]] = [
        b.para(_(
            "Ce dossier réunit ce que %(name)s sait d'un e-mail : ce qui a été envoyé, ce qu'il est devenu, et qui a "
            "agi. Les fichiers qui l'accompagnent permettent de le vérifier sans nous.", name=taker.organisation.name,
        )),
        b.heading(_("L'e-mail")),
        b.facts([
            (_("Objet"), row.subject),
            (_("De"), f"{proof.detail.sender_name} <{row.sender_address}>"),
            (_("À"), f"{row.recipient_name} <{row.address}>" if row.recipient_name else row.address),
            (_("Session"), row.session_title or ""), (_("Type"), _(row.type_label)),
            (_("Demandé"), _by(b.moment(row.created_at, taker.organisation), row.requested_by)),
            (_("Envoyé"), b.moment(row.sent_at, taker.organisation) if row.sent_at else _("pas envoyé")),
            (_("Statut"), f"{_(row.status.label)} : {_(row.status.meaning)}"),
            (_("Motif"), _(row.reason.label) if row.reason else ""),
            (_("Numéro"), row.public_id), ("Message-ID", told.message_id),
        ]),
        b.heading(_("Ce qui s'est passé")),
        b.table([_("Quand"), _("Quoi"), _("Réponse du serveur")], [
            [b.moment(at, taker.organisation), f"{title} ({sub})" if sub else title, words]
            for at, title, sub, words in told.story
        ], ["auto", "1fr", "1fr"]),
    ]  # fmt: skip
    if proof.pieces:
        blocks += [b.heading(_("Pièces jointes et leur SHA-256")), b.facts([
            (f"{number}", f"{piece.filename} ({size_filter(piece.size)})\n{piece.sha256}")
            for number, piece in enumerate(proof.pieces, 1)
        ])]  # fmt: skip
    if told.log:
        blocks += [b.heading(_("Qui a fait quoi")), b.table(
            [_("Quand"), _("Qui"), _("Action")],
            [[b.moment(at, taker.organisation), who, what] for at, who, what in told.log], ["auto", "1fr", "1fr"],
        )]  # fmt: skip
    blocks += [b.heading(_("Intégrité")), b.facts(_integrity(proof.detail, told))]
    blocks += [b.heading(_("Comment vérifier")), b.listed([
        _("« sha256sum -c %(file)s » dit si un fichier de ce dossier a changé depuis qu'il a été établi.", file=SUMS),
        _("L'empreinte SHA-256 de message.eml est celle que l'historique garde depuis la demande : mot pour mot, ce "
          "qui a été envoyé."),
        _("Un logiciel de vérification DKIM dit, à partir de message.eml, si la signature est bonne, tant que la clé "
          "est publiée."),
        _("Les messages du dossier rapports sont tels que le serveur du destinataire nous les a envoyés."),
    ])]  # fmt: skip
    blocks += [b.heading(_("Ce que ce dossier ne dit pas")), b.para(
        _("« Reçu » veut dire accepté par le serveur du destinataire ; « ouvert », que les images ont été chargées ou "
          "un lien suivi. Ni l'un ni l'autre ne prouve qu'une personne a lu l'e-mail, ni son absence qu'elle ne l'a "
          "pas lu.")
    )]  # fmt: skip
    return [*blocks, b.heading(_("Les fichiers de ce dossier")), b.listed(told.names)]


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


def _by(when: str, name: str | None) -> str:
    return _("%(moment)s par %(name)s", moment=when, name=name) if name else when

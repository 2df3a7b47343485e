"""The page of an archive of many proofs: what it is of, what became of them in numbers, what is lost, how to check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from history.proof import SUMS
from i18n import _, ngettext, number_filter, size_filter
from models.words import Reason, Status
from proofs import blocks as b
from proofs.one import One
from proofs.taker import Taker

MOST_LISTED = 500  # e-mails that stand on the page itself
_MOST_LOST = 50


@dataclass
class Tally:
    """What was seen while the proofs left: `wanted` e-mails, `done` of them."""

    wanted: int
    done: int = 0
    held: int = 0
    files: int = 0
    size: int = 0
    first: datetime | None = None
    last: datetime | None = None
    statuses: Counter[Status] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    intact: Counter[bool | None] = field(default_factory=Counter)
    signed: Counter[bool] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    lost_count: int = 0
    rows: list[tuple[datetime, str, str, str, str]] = field(default_factory=list)  # when, whom, what, status, number

    def count(self, found: One, folder: str, lost: list[str]) -> None:
        """One more; `lost` are the names of its files that could not be given whole."""
        row = found.row
        at = row.sent_at or row.created_at
        self.held += 1
        self.files += len(found.found.pieces)
        self.size += found.found.detail.size or 0
        self.first, self.last = min(self.first or at, at), max(self.last or at, at)
        self.statuses[row.status] += 1
        self.intact[found.intact] += 1
        if row.reason:
            self.reasons[row.reason] += 1
        if found.signature is not None:
            self.signed[found.signature.body and found.signature.headers is not False] += 1
        names = [*(["message.eml"] if found.intact is False else []), *lost]
        self.lost_count += len(names)
        self.lost += [f"{folder}/{name}" for name in names][: _MOST_LOST - len(self.lost)]
        if len(self.rows) < MOST_LISTED:
            self.rows.append((at, row.recipient, row.subject, _(row.status.label), row.public_id))


def pdf(taker: Taker, about: str, sentence: str, more: bool, tally: Tally) -> bytes:
    """The page; `about` is whose e-mails ('' for all), `sentence` the filter in words, `more`: there were more."""
    return b.printed(taker, said(taker, about, sentence, more, tally))


def said(taker: Taker, about: str, sentence: str, more: bool, tally: Tally) -> dict[str, Any]:
    """Everything the page says: what typst gets."""
    count = ngettext("%(num)s e-mail", "%(num)s e-mails", tally.held)
    return b.document(taker, about or count, _blocks(taker, about, sentence, more, tally))


def _blocks(taker: Taker, about: str, sentence: str, more: bool, tally: Tally) -> list[dict[str, Any]]:
    days = ""
    if tally.first and tally.last:
        first, last = (f"{at.astimezone(taker.zone):%d/%m/%Y}" for at in (tally.first, tally.last))
        days = first if first == last else _("du %(first)s au %(last)s", first=first, last=last)
    blocks: list[dict[str, Any]] = [
        b.para(_(
            "Ce dossier réunit ce que %(name)s sait de chacun de ces e-mails : ce qui a été envoyé, ce qu'il est "
            "devenu, et qui a agi. Chaque e-mail a son dossier, complet à lui seul, avec sa propre page ; tout peut "
            "être vérifié sans nous.", name=taker.organisation.name,
        )),
    ]  # fmt: skip
    if more:
        blocks.append(b.para(_("La liste en avait davantage : ce dossier s'arrête aux premiers.")))
    if tally.held < tally.wanted:
        gone = tally.wanted - tally.held
        blocks.append(b.para(ngettext(
            "%(num)s e-mail de la liste n'existe plus.", "%(num)s e-mails de la liste n'existent plus.", gone
        )))  # fmt: skip
    blocks += [b.heading(_("Ce qu'il réunit")), b.facts([
        (_("Concerne"), about or _("Tout l'organisme")), (_("Contenu"), sentence),
        (_("E-mails"), number_filter(tally.held)), (_("Période"), days),
        (_("Pièces jointes"), number_filter(tally.files)),
    ])]  # fmt: skip
    if tally.held:
        blocks += [b.heading(_("Ce qu'ils sont devenus")), _numbers(tally.statuses)]
    if tally.reasons:
        blocks += [b.heading(_("Pourquoi certains ne sont pas arrivés")), _numbers(tally.reasons)]
    blocks += [b.heading(_("Intégrité")), b.facts(_integrity(tally))]
    if tally.lost:
        shown = tally.lost + ["…"] * (tally.lost_count > len(tally.lost))
        blocks += [b.heading(_("Perdus ou abîmés dans notre stockage")), b.listed(shown)]
    blocks += _how()
    if 0 < tally.held <= MOST_LISTED:
        blocks += [b.heading(_("Les e-mails")), b.table(
            [_("Envoyé"), _("Destinataire"), _("Objet"), _("Statut")],
            [[f"{at.astimezone(taker.zone):%d/%m/%Y %H:%M}", f"{whom}\n{number}", subject, status]
             for at, whom, subject, status, number in tally.rows],
            ["auto", "1fr", "1fr", "auto"],
        )]  # fmt: skip
    return blocks


def _numbers(counted: Counter[Any]) -> dict[str, Any]:
    rows = [[_(word.label), number_filter(number)] for word, number in counted.most_common()]
    return b.table([_("Statut") if isinstance(next(iter(counted)), Status) else _("Motif"), _("E-mails")], rows,
                   ["1fr", "auto"], right=(1,))  # fmt: skip


def _integrity(tally: Tally) -> list[tuple[str, str]]:
    whole, wrong, erased = (tally.intact[one] for one in (True, False, None))
    found = [(_("Messages"), ngettext(
        "%(num)s a l'empreinte gardée depuis sa demande : rien n'y a changé.",
        "%(num)s ont l'empreinte gardée depuis leur demande : rien n'y a changé.", whole,
    ))]  # fmt: skip
    if wrong:
        found.append((_("ATTENTION"), ngettext(
            "%(num)s n'a plus les octets de sa demande.", "%(num)s n'ont plus les octets de leur demande.", wrong
        )))  # fmt: skip
    if erased:
        found.append((_("Effacés"), ngettext(
            "%(num)s n'est plus conservé : il reste son empreinte.",
            "%(num)s ne sont plus conservés : il reste leur empreinte.", erased,
        )))  # fmt: skip
    good, bad = tally.signed[True], tally.signed[False]
    if good:
        found.append(("DKIM", ngettext(
            "%(num)s signature correspond au message.", "%(num)s signatures correspondent au message.", good
        )))  # fmt: skip
    if bad:
        found.append((_("ATTENTION"), ngettext(
            "%(num)s signature DKIM ne correspond pas au message.",
            "%(num)s signatures DKIM ne correspondent pas au message.", bad,
        )))  # fmt: skip
    return [*found, (_("Taille"), size_filter(tally.size))]


def _how() -> list[dict[str, Any]]:
    """How whoever doubts it can check, and what it does not say."""
    return [
        b.heading(_("Comment vérifier")),
        b.listed([
            _("« sha256sum -c %(file)s » dit si un fichier de ce dossier a changé depuis qu'il a été établi.",
              file=SUMS),
            _("Chaque dossier d'e-mail a sa propre liste %(file)s : remis seul, il se vérifie seul.", file=SUMS),
            _("« liste.csv » a une ligne par e-mail : son dossier, son statut, son empreinte et ce qui lui manque."),
        ]),
        b.heading(_("Ce que ce dossier ne dit pas")),
        b.para(
            _("« Reçu » veut dire accepté par le serveur du destinataire ; « ouvert », que les images ont été chargées "
              "ou un lien suivi. Ni l'un ni l'autre ne prouve qu'une personne a lu l'e-mail, ni son absence qu'elle ne "
              "l'a pas lu.")
        ),
    ]  # fmt: skip

"""What a finding about a sending domain says in plain sentences, besides its flaws."""

from __future__ import annotations

from i18n import N_, _, ngettext
from mail.domains import Finding, Service
from mail.spf import MOST_LOOKUPS
from models.domain_words import DomainCheckKind, DomainState, Flaw

_POLICIES = {
    "none": N_("Ce domaine ne demande encore de refuser aucun e-mail (« p=none ») : c'est ainsi que l'on commence."),
    "quarantine": N_("Ce domaine demande de classer en indésirables ce qui n'est pas authentifié (« p=quarantine »)."),
    "reject": N_("Ce domaine demande de refuser ce qui n'est pas authentifié (« p=reject »)."),
}


def said(finding: Finding, service: Service) -> list[str]:
    """The sentences, none where the flaws say it all."""
    return _SAYS[finding.check](finding, service)


def _spf(finding: Finding, service: Service) -> list[str]:
    about = finding.details
    lines = []
    if about["allowed"]:
        lines.append(_("Le service d'où partent vos e-mails y est autorisé."))
    elif about["allowed"] is None and not service.known:
        lines.append(
            _("Le service d'où partent vos e-mails n'est pas réglé (MAIL_SPF_INCLUDE) : impossible de dire s'il y est.")
        )
    if finding.records and Flaw.SPF_SEVERAL not in finding.flaws:
        lines.append(
            ngettext(
                "Il faut %(num)s requête DNS pour le lire, sur %(most)s permises.",
                "Il faut %(num)s requêtes DNS pour le lire, sur %(most)s permises.",
                about["lookups"], most=MOST_LOOKUPS,
            )
        )  # fmt: skip
    return lines


def _dkim(finding: Finding, service: Service) -> list[str]:
    if not finding.judged:
        return [_("Aucun sélecteur n'est connu : indiquez plus bas celui de votre service d'envoi.")]
    bits = finding.details.get("bits")
    lines = [_("La clé a %(bits)s bits.", bits=bits)] if bits else []
    if finding.details.get("ours") and finding.state is not DomainState.UNKNOWN:
        fit = bits and finding.state is not DomainState.BAD
        lines.append(
            _("Sillage peut signer avec cette clé : les destinataires la trouvent.")
            if fit
            else _("Sillage ne signe rien avec cette clé tant qu'elle n'est pas publiée telle quelle.")
        )
    return lines


def _dmarc(finding: Finding, service: Service) -> list[str]:
    about = finding.details
    asks = _POLICIES.get(about["policy"])
    lines = [_(asks)] if asks else []
    if asks and (about["by_spf"] or about["by_dkim"]):
        by = "SPF" if not about["by_dkim"] else "DKIM" if not about["by_spf"] else "SPF, DKIM"
        lines.append(_("Vos e-mails passent ce contrôle (par %(by)s).", by=by))
    return lines


def _mx(finding: Finding, service: Service) -> list[str]:
    return []


_SAYS = {
    DomainCheckKind.SPF: _spf, DomainCheckKind.DKIM: _dkim, DomainCheckKind.DMARC: _dmarc, DomainCheckKind.MX: _mx,
    DomainCheckKind.PTR: _mx,
}  # fmt: skip

"""What can be said of a sending domain: how it stands, what is looked at, what can be wrong and what to do about it.

mail.spf, mail.dmarc and mail.domains find the flaws; models.domain_check keeps them.
"""

from __future__ import annotations

from models.words import N_, Word


class DomainState(Word):
    """How a domain, or one thing about it, stands. `rank`: the higher decides for the whole."""

    def __init__(self, _value: str, _label: str, tone: str, icon: str, rank: int) -> None:
        self.tone, self.icon, self.rank = tone, icon, rank

    NONE = ("none", N_("non vérifié"), "neutral", "minus", 0)
    GOOD = ("good", N_("en ordre"), "success", "check", 1)
    WEAK = ("weak", N_("à améliorer"), "warning", "alert-triangle", 2)
    UNKNOWN = ("unknown", N_("pas de réponse"), "neutral", "help-circle", 3)
    BAD = ("bad", N_("à réparer"), "danger", "alert-circle", 4)


class DomainCheckKind(Word):
    """What is looked at; the label is its name, `about` what it is for."""

    def __init__(self, _value: str, _label: str, about: str) -> None:
        self.about = about

    SPF = (
        "spf", N_("SPF : les serveurs qui ont le droit d'envoyer"),
        N_("Les destinataires y lisent quels serveurs peuvent écrire au nom de ce domaine."),
    )
    DKIM = (
        "dkim", N_("DKIM : la clé qui vérifie la signature"),
        N_("Les destinataires y prennent la clé publique qui prouve qu'un e-mail signé n'a pas été modifié."),
    )
    DMARC = (
        "dmarc", N_("DMARC : que faire d'un e-mail non authentifié"),
        N_("Le domaine y dit quoi faire d'un e-mail que ni SPF ni DKIM ne rattachent à lui."),
    )
    MX = (
        "mx", N_("MX : le courrier en retour"),
        N_("Les réponses et les rapports de non-remise arrivent aux serveurs nommés là."),
    )
    PTR = (
        "ptr", N_("Nom inverse du serveur d'envoi"),
        N_("Le serveur d'où partent les e-mails doit avoir un nom, et ce nom le désigner en retour."),
    )


class Flaw(Word):
    """What is wrong: the label is one plain sentence, `remedy` what to do, `state` how grave it is."""

    def __init__(self, _value: str, _label: str, state: DomainState, remedy: str) -> None:
        self.state, self.remedy = state, remedy

    NO_ANSWER = (
        "no_answer", N_("Aucun serveur DNS n'a répondu : on ne peut rien en dire."), DomainState.UNKNOWN,
        N_("Réessayez dans quelques minutes. Si cela dure, signalez-le à l'hébergeur du domaine."),
    )
    NO_DOMAIN = (
        "no_domain", N_("Ce domaine n'existe pas."), DomainState.BAD,
        N_("Vérifiez son orthographe dans l'adresse de l'expéditeur, ou s'il a été renouvelé."),
    )
    SPF_NONE = (
        "spf_none", N_("Aucun enregistrement SPF : n'importe qui peut se faire passer pour ce domaine."),
        DomainState.BAD, N_("Publiez l'enregistrement ci-dessous."),
    )
    SPF_SEVERAL = (
        "spf_several", N_("Plusieurs enregistrements SPF : les destinataires n'en lisent alors aucun."),
        DomainState.BAD, N_("Gardez-en un seul : remplacez-les tous par celui-ci."),
    )
    SPF_SYNTAX = (
        "spf_syntax", N_("Un mot de l'enregistrement SPF n'est pas compris : les destinataires le refusent en entier."),
        DomainState.BAD, N_("Corrigez ou retirez ce mot."),
    )
    SPF_LOOKUPS = (
        "spf_lookups", N_("Il faut plus de dix requêtes DNS pour lire ce SPF : les destinataires abandonnent."),
        DomainState.BAD, N_("Retirez les « include » qui ne servent plus."),
    )
    SPF_VOIDS = (
        "spf_voids", N_("Plus de deux noms cités par ce SPF n'existent pas : les destinataires abandonnent."),
        DomainState.BAD, N_("Retirez les noms qui n'existent plus."),
    )
    SPF_BROKEN_INCLUDE = (
        "spf_broken_include", N_("Ce SPF renvoie à un domaine qui n'a pas de SPF : les destinataires abandonnent."),
        DomainState.BAD, N_("Retirez ce renvoi, ou corrigez son nom."),
    )
    SPF_NOT_US = (
        "spf_not_us", N_("Ce SPF n'autorise pas le service d'où partent vos e-mails."),
        DomainState.BAD, N_("Remplacez-le par l'enregistrement ci-dessous : le vôtre, complété."),
    )
    SPF_UNALIGNED = (
        "spf_unaligned", N_("L'adresse de retour est d'un autre domaine : SPF ne prouve rien pour celui-ci."),
        DomainState.WEAK, N_("Choisissez une adresse de retour du même domaine, ou signez avec DKIM."),
    )
    SPF_OPEN = (
        "spf_open", N_("Ce SPF autorise tout l'internet : il ne protège de rien."),
        DomainState.WEAK, N_("Remplacez « +all » par « ~all »."),
    )
    SPF_NO_END = (
        "spf_no_end", N_("Ce SPF ne dit rien des autres serveurs : il se termine sans « all »."),
        DomainState.WEAK, N_("Ajoutez « ~all » à la fin."),
    )
    SPF_PTR = (
        "spf_ptr", N_("Ce SPF emploie « ptr », que beaucoup de destinataires ne lisent plus."),
        DomainState.WEAK, N_("Remplacez « ptr » par l'adresse ou le nom des serveurs."),
    )
    DKIM_NONE = (
        "dkim_none", N_("Aucune clé à ce nom : une signature ne pourrait pas être vérifiée."),
        DomainState.WEAK, N_("Publiez la clé ci-dessous."),
    )
    DKIM_SEVERAL = (
        "dkim_several", N_("Plusieurs clés à ce nom : les destinataires ne savent pas laquelle prendre."),
        DomainState.BAD, N_("Gardez une seule clé à ce nom."),
    )
    DKIM_SYNTAX = (
        "dkim_syntax", N_("Cette clé n'est pas lisible : elle a sans doute été coupée en la copiant."),
        DomainState.BAD, N_("Copiez-la de nouveau, en entier, sans espace ni guillemet ajoutés."),
    )
    DKIM_REVOKED = (
        "dkim_revoked", N_("Cette clé est retirée : les signatures qu'elle vérifiait ne valent plus rien."),
        DomainState.BAD, N_("Publiez la clé ci-dessous à la place."),
    )
    DKIM_OTHER = (
        "dkim_other", N_("Ce n'est pas la clé attendue : les signatures seront jugées fausses."),
        DomainState.BAD, N_("Remplacez-la par la clé ci-dessous."),
    )
    DKIM_SHORT = (
        "dkim_short", N_("Cette clé est trop courte (moins de 1024 bits) : elle n'est plus acceptée."),
        DomainState.BAD, N_("Demandez une clé de 2048 bits."),
    )
    DKIM_SMALL = (
        "dkim_small", N_("Cette clé de moins de 2048 bits est encore acceptée, plus pour longtemps."),
        DomainState.WEAK, N_("Demandez une clé de 2048 bits."),
    )
    DKIM_TEST = (
        "dkim_test", N_("Cette clé est en mode d'essai : les destinataires n'en tiennent pas compte."),
        DomainState.WEAK, N_("Retirez « t=y » de l'enregistrement."),
    )
    DMARC_NONE = (
        "dmarc_none", N_("Aucun enregistrement DMARC : les grandes messageries s'en méfient."),
        DomainState.WEAK, N_("Publiez l'enregistrement ci-dessous ; il n'empêche aucun envoi."),
    )
    DMARC_SEVERAL = (
        "dmarc_several", N_("Plusieurs enregistrements DMARC : les destinataires n'en lisent alors aucun."),
        DomainState.BAD, N_("Gardez-en un seul."),
    )
    DMARC_SYNTAX = (
        "dmarc_syntax", N_("Cet enregistrement DMARC n'est pas compris : c'est comme s'il n'y en avait pas."),
        DomainState.BAD, N_("Remplacez-le par l'enregistrement ci-dessous."),
    )
    DMARC_REFUSED = (
        "dmarc_refused", N_("Ce domaine fait refuser ce qui n'est pas authentifié, et vos e-mails ne le sont pas."),
        DomainState.BAD, N_("Réparez SPF ou DKIM ci-dessus : l'un des deux suffit pour passer."),
    )
    DMARC_UNPROVEN = (
        "dmarc_unproven", N_("Vos e-mails ne sont rattachés à ce domaine ni par SPF ni par DKIM."),
        DomainState.WEAK, N_("Réparez SPF ou DKIM ci-dessus : l'un des deux suffit pour passer."),
    )
    MX_NONE = (
        "mx_none", N_("Ce domaine ne reçoit aucun e-mail : les réponses et les rapports de non-remise se perdent."),
        DomainState.BAD, N_("Demandez à l'hébergeur du domaine d'y ouvrir une messagerie (enregistrement MX)."),
    )
    MX_NULL = (
        "mx_null", N_("Ce domaine déclare ne jamais recevoir d'e-mail : beaucoup de serveurs le refusent."),
        DomainState.BAD, N_("Retirez l'enregistrement « MX 0 . », ou choisissez un expéditeur d'un autre domaine."),
    )
    MX_IMPLICIT = (
        "mx_implicit", N_("Pas d'enregistrement MX : le courrier arrive au serveur du site, s'il l'accepte."),
        DomainState.WEAK, N_("Demandez à l'hébergeur du domaine un enregistrement MX."),
    )
    MX_LOST = (
        "mx_lost", N_("Aucun des serveurs de courrier nommés n'a d'adresse : le courrier en retour se perd."),
        DomainState.BAD, N_("Corrigez le nom des serveurs dans l'enregistrement MX."),
    )
    PTR_NONE = (
        "ptr_none", N_("Le serveur d'envoi n'a pas de nom inverse : certains destinataires le refusent."),
        DomainState.WEAK, N_("Cela ne dépend pas de votre domaine : signalez-le à qui exploite Sillage."),
    )
    PTR_UNCONFIRMED = (
        "ptr_unconfirmed", N_("Le nom inverse du serveur d'envoi ne le désigne pas en retour."),
        DomainState.WEAK, N_("Cela ne dépend pas de votre domaine : signalez-le à qui exploite Sillage."),
    )  # fmt: skip

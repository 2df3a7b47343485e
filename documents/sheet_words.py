"""What the documents of a session say, in French and in English; %(name)s are filled by documents.sheet_pages.

French is typed with plain spaces and straight apostrophes: word() adds the typography.
"""

from __future__ import annotations

from i18n import french

_WORDS: dict[str, tuple[str, str]] = {
    # shared
    "dated": ("Le %(date)s", "%(date)s"),
    "signature": ("Pour l'organisme de formation,", "For the training organisation,"),
    "signature_customer": ("Pour le client,", "For the customer,"),
    "stamp": ("Signature et cachet", "Signature and stamp"),
    "phone": ("Tél. : %(phone)s", "Tel. %(phone)s"),
    "registration": (
        "Déclaration d'activité enregistrée sous le numéro %(number)s. Cet enregistrement ne vaut pas agrément de "
        "l'État.",
        "Training provider registered under number %(number)s (French declaration of activity).",
    ),
    "reference": ("Référence", "Reference"),
    "dates": ("Dates", "Dates"),
    "place": ("Lieu", "Place"),
    "duration": ("Durée", "Duration"),
    "audience": ("Public", "Audience"),
    "prerequisites": ("Prérequis", "Prerequisites"),
    "objectives": ("Objectifs", "Objectives"),
    "content": ("Contenu", "Content"),
    "methods": ("Moyens et évaluation", "Methods and assessment"),
    "schedule": ("Déroulement", "Schedule"),
    "day": ("Jour", "Day"),
    "hours": ("Horaires", "Hours"),
    "module": ("Module", "Module"),
    "learner": ("Apprenant", "Learner"),
    "learners": ("Apprenants", "Learners"),
    "trainer": ("Intervenant", "Trainer"),
    "trainers": ("Intervenants", "Trainers"),
    "company": ("Entreprise", "Company"),
    "total": ("Total", "Total"),
    "nobody": ("Aucun apprenant inscrit à ce jour.", "No learner enrolled yet."),
    # convention
    "convention.heading": ("Convention de formation professionnelle", "Training agreement"),
    "convention.parties": (
        "Entre %(organisation)s, organisme de formation, d'une part, et %(customer)s, d'autre part, est conclue la "
        "convention suivante, en application des articles L. 6353-1 et D. 6353-1 du Code du travail.",
        "Between %(organisation)s, training provider, and %(customer)s, the following agreement is made under "
        "articles L. 6353-1 and D. 6353-1 of the French Labour Code.",
    ),
    "convention.object": ("Article 1 – Objet", "Article 1 – Purpose"),
    "convention.object_text": (
        "L'organisme de formation organise l'action de formation suivante, au bénéfice des personnes désignées à "
        "l'article 3.",
        "The training provider organises the following training, for the people named in article 3.",
    ),
    "convention.schedule": ("Article 2 – Déroulement", "Article 2 – Schedule"),
    "convention.people": ("Article 3 – Personnes formées", "Article 3 – People trained"),
    "convention.people_text": (
        "L'action s'adresse à %(number)s personne(s) :",
        "The training is for %(number)s person(s):",
    ),
    "convention.price": ("Article 4 – Prix", "Article 4 – Price"),
    "convention.price_text": (
        "Le prix de l'action est de %(each)s hors taxes par personne, soit %(net)s hors taxes pour %(number)s "
        "personne(s), %(vat)s de TVA et %(gross)s toutes taxes comprises.",
        "The price is %(each)s excluding tax per person, that is %(net)s excluding tax for %(number)s person(s), "
        "%(vat)s of VAT and %(gross)s including tax.",
    ),
    "convention.price_exempt": (
        "Le prix de l'action est de %(each)s par personne, soit %(net)s net de taxes pour %(number)s personne(s) "
        "(TVA non applicable, article 261-4-4° du Code général des impôts).",
        "The price is %(each)s per person, that is %(net)s net of tax for %(number)s person(s) (exempt from VAT, "
        "article 261-4-4° of the French General Tax Code).",
    ),
    "convention.price_unknown": (
        "Le prix de l'action est celui du devis accepté par le client.",
        "The price is that of the quote accepted by the customer.",
    ),
    "convention.means": ("Article 5 – Moyens et sanction", "Article 5 – Methods and outcome"),
    "convention.means_text": (
        "L'assiduité est attestée par des feuilles d'émargement signées par demi-journée. À l'issue de la formation, "
        "un certificat de réalisation est remis.",
        "Attendance is proven by sheets signed every half-day. A certificate of completion is issued at the end.",
    ),
    "convention.end": ("Article 6 – Abandon et litiges", "Article 6 – Withdrawal and disputes"),
    "convention.end_text": (
        "En cas d'inexécution totale ou partielle de l'action, l'organisme rembourse les sommes indûment perçues "
        "(article L. 6354-1). Seules les heures réalisées sont facturées au titre de la formation. À défaut d'accord "
        "amiable, les tribunaux du siège de l'organisme sont compétents.",
        "If the training is not or only partly given, sums unduly received are refunded (article L. 6354-1). Only "
        "the hours given are invoiced as training. Failing an amicable settlement, the courts of the provider's seat "
        "are competent.",
    ),
    "convention.made": (
        "Fait en deux exemplaires, le %(date)s.",
        "Made in two originals on %(date)s.",
    ),
    # programme
    "programme.heading": ("Programme de formation", "Training programme"),
    "programme.access": ("Accessibilité", "Accessibility"),
    "programme.access_text": (
        "Si votre situation demande un aménagement (handicap, contrainte d'accès), écrivez-nous : nous étudierons "
        "avec vous ce qui peut être adapté.",
        "If you need any adjustment (disability, access), write to us: we will see with you what can be adapted.",
    ),
    # rules
    "rules.heading": ("Règlement intérieur", "Rules of conduct"),
    "rules.intro": (
        "Établi en application des articles L. 6352-3 à L. 6352-5 et R. 6352-1 à R. 6352-15 du Code du travail. Il "
        "s'applique à toutes les personnes qui suivent la formation « %(title)s », pour toute sa durée.",
        "Made under articles L. 6352-3 to L. 6352-5 and R. 6352-1 to R. 6352-15 of the French Labour Code. It applies "
        "to everyone on the training ‘%(title)s’, for its whole length.",
    ),
    "rules.safety": ("Hygiène et sécurité", "Health and safety"),
    "rules.safety_text": (
        "Chacun veille à sa sécurité et à celle des autres, en respectant les consignes affichées ou données.\nTout "
        "accident est déclaré sans délai à l'organisme.\nEn cas d'alerte, on évacue dans le calme en suivant les "
        "instructions.\nIl est interdit de fumer ou de vapoter dans les locaux, d'y introduire de l'alcool ou des "
        "stupéfiants, ou de s'y présenter sous leur emprise.",
        "Everyone looks after their own safety and that of others, and follows the instructions displayed or given.\n"
        "Any accident is reported to the provider at once.\nIf the alarm sounds, leave calmly and follow "
        "instructions.\nSmoking and vaping are forbidden indoors, as are alcohol and drugs, or being under their "
        "influence.",
    ),
    "rules.discipline": ("Discipline", "Discipline"),
    "rules.discipline_text": (
        "Les horaires de la convocation sont à respecter ; toute absence ou tout retard est à signaler.\nLa feuille "
        "d'émargement est signée à chaque demi-journée.\nLe matériel est utilisé conformément à son objet et rendu en "
        "bon état.\nL'enregistrement des séances demande une autorisation expresse.\nLes propos et comportements "
        "respectent chacun ; tout harcèlement est proscrit.",
        "The hours stated in the joining instructions are to be kept; absence or lateness is to be reported.\nThe "
        "attendance sheet is signed every half-day.\nEquipment is used as intended and returned in good order.\n"
        "Recording requires express permission.\nEveryone is treated with respect; harassment is forbidden.",
    ),
    "rules.sanctions": ("Sanctions", "Sanctions"),
    "rules.sanctions_text": (
        "Un manquement peut donner lieu, selon sa gravité, à un rappel à l'ordre, un avertissement écrit ou une "
        "exclusion temporaire ou définitive. Aucune sanction n'est prononcée sans que la personne ait été informée "
        "des griefs et entendue, assistée si elle le souhaite (articles R. 6352-4 à R. 6352-8). L'employeur et le "
        "financeur sont informés de la sanction prise.",
        "A breach may lead, according to its gravity, to a reminder, a written warning, or a temporary or permanent "
        "exclusion. No sanction is taken before the person has been told of the complaints and heard, assisted if "
        "they wish (articles R. 6352-4 to R. 6352-8). The employer and the funder are informed.",
    ),
    "rules.delegates": ("Représentation", "Representation"),
    "rules.delegates_text": (
        "Pour les formations de plus de 500 heures, un délégué titulaire et un suppléant sont élus (articles "
        "R. 6352-9 à R. 6352-12).",
        "For training of more than 500 hours, a delegate and a deputy are elected (articles R. 6352-9 to R. 6352-12).",
    ),
    # welcome booklet
    "welcome.heading": ("Livret d'accueil", "Welcome booklet"),
    "welcome.intro": (
        "Bienvenue à la formation « %(title)s ». Ce livret réunit ce qu'il est utile de savoir avant de venir.",
        "Welcome to the training ‘%(title)s’. This booklet holds what is useful to know before you come.",
    ),
    "welcome.us": ("Qui nous sommes", "Who we are"),
    "welcome.team": ("Vos intervenants", "Your trainers"),
    "welcome.practical": ("Informations pratiques", "Practical information"),
    "welcome.arrive": (
        "Présentez-vous un quart d'heure avant le début de la première séance.",
        "Please arrive a quarter of an hour before the first session begins.",
    ),
    "welcome.sheet": (
        "Une feuille d'émargement est à signer à chaque demi-journée.",
        "An attendance sheet is signed every half-day.",
    ),
    "welcome.call": (
        "En cas d'empêchement ou de retard : %(phone)s.",
        "If you cannot come or will be late: %(phone)s.",
    ),
    "welcome.rules": (
        "Le règlement intérieur s'applique pendant toute la formation.",
        "The rules of conduct apply during the whole training.",
    ),
    "welcome.evaluation": (
        "Votre avis vous sera demandé avant, à la fin et quelque temps après la formation.",
        "You will be asked for your opinion before, at the end of and some time after the training.",
    ),
    # attendance sheet
    "attendance.heading": ("Feuille d'émargement", "Attendance sheet"),
    "attendance.half": ("Matin", "Morning"),
    "attendance.half_pm": ("Après-midi", "Afternoon"),
    "attendance.sign": ("Signature", "Signature"),
    "attendance.note": (
        "Chaque personne signe elle-même, à chaque demi-journée. Une case vide est une absence.",
        "Each person signs for themselves, every half-day. An empty cell is an absence.",
    ),
    # certificate
    "certificate.heading": ("Certificat de réalisation", "Certificate of completion"),
    "certificate.text": (
        "%(organisation)s, organisme de formation, atteste que %(name)s%(company)s a suivi l'action de formation "
        "suivante.",
        "%(organisation)s, training provider, certifies that %(name)s%(company)s has followed the training below.",
    ),
    "certificate.of_company": (", de l'entreprise %(company)s,", ", of %(company)s,"),
    "certificate.nature": ("Nature de l'action", "Kind of action"),
    "certificate.training": ("Action de formation", "Training action"),
    "certificate.keep": (
        "Sans préjudice des délais imposés par les règles fiscales, comptables ou commerciales, l'organisme s'engage à "
        "conserver l'ensemble des pièces justificatives qui ont permis d'établir le présent certificat pendant une "
        "durée de trois ans à compter de la fin de l'année du dernier paiement.",
        "Without prejudice to tax, accounting or commercial rules, the provider undertakes to keep all the documents "
        "on which this certificate rests for three years from the end of the year of the last payment.",
    ),
    # attendance certificate
    "assiduity.heading": ("Attestation d'assiduité", "Certificate of attendance"),
    "assiduity.text": (
        "%(organisation)s atteste que %(name)s%(company)s était inscrit(e) aux séances suivantes et les a suivies avec "
        "assiduité, les feuilles d'émargement signées en faisant foi.",
        "%(organisation)s certifies that %(name)s%(company)s was enrolled on the following sessions and attended "
        "them, as the signed attendance sheets prove.",
    ),
    # invoice
    "invoice.heading": ("Facture %(number)s", "Invoice %(number)s"),
    "invoice.draft": ("Facture (projet, sans numéro)", "Invoice (draft, without a number)"),
    "invoice.issued": ("Émise le", "Issued on"),
    "invoice.due": ("Échéance", "Due on"),
    "invoice.what": ("Désignation", "Description"),
    "invoice.number": ("Quantité", "Quantity"),
    "invoice.each": ("Prix unitaire HT", "Unit price, net"),
    "invoice.amount": ("Montant HT", "Amount, net"),
    "invoice.net": ("Total HT", "Total, net"),
    "invoice.vat": ("TVA %(rate)s", "VAT %(rate)s"),
    "invoice.gross": ("Total TTC", "Total, gross"),
    "invoice.exempt": (
        "TVA non applicable, article 261-4-4° du Code général des impôts.",
        "Exempt from VAT, article 261-4-4° of the French General Tax Code.",
    ),
    "invoice.late": (
        "En cas de retard de paiement, une pénalité de trois fois le taux d'intérêt légal et une indemnité forfaitaire "
        "de 40 € pour frais de recouvrement sont dues (articles L. 441-10 et D. 441-5 du Code de commerce). Pas "
        "d'escompte pour paiement anticipé.",
        "Late payment is subject to a penalty of three times the legal interest rate and a fixed compensation of €40 "
        "(articles L. 441-10 and D. 441-5 of the French Commercial Code). No discount for early payment.",
    ),
    # file names
    "file.convention": ("Convention", "Training agreement"),
    "file.programme": ("Programme", "Programme"),
    "file.rules": ("Règlement intérieur", "Rules of conduct"),
    "file.welcome_booklet": ("Livret d'accueil", "Welcome booklet"),
    "file.attendance_sheet": ("Feuille d'émargement", "Attendance sheet"),
    "file.certificate": ("Certificat de réalisation", "Certificate of completion"),
    "file.attendance_certificate": ("Attestation d'assiduité", "Certificate of attendance"),
    "file.invoice": ("Facture", "Invoice"),
}


def word(key: str, language: str, **values: str) -> str:
    """The words of `key` in French ("fr") or English, filled."""
    text = french(_WORDS[key][0]) if language == "fr" else _WORDS[key][1]
    return text % values if values else text

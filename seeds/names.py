"""Names, places and titles that sound like a French training organisation's; every domain ends in .example."""

from __future__ import annotations

FIRST = (
    "Camille", "Léa", "Manon", "Chloé", "Inès", "Sarah", "Jade", "Louise", "Alice", "Lina", "Emma", "Zoé", "Anaïs",
    "Élodie", "Aurélie", "Céline", "Nathalie", "Sandrine", "Véronique", "Françoise", "Hélène", "Agnès", "Maëlle",
    "Noémie", "Amandine", "Fatima", "Aïcha", "Samira", "Ngoc", "Mei", "Lucas", "Hugo", "Louis", "Gabriel", "Arthur",
    "Jules", "Adam", "Raphaël", "Paul", "Nathan", "Théo", "Mathis", "Karim", "Yanis", "Mehdi", "Moussa", "Ibrahim",
    "François", "Jérôme", "Stéphane", "Benoît", "Loïc", "Gaël", "Cédric", "Frédéric", "Rémi", "Étienne", "Jean-Marc",
    "Pierre-Yves", "Anne-Sophie",
)  # fmt: skip
LAST = (
    "Martin", "Bernard", "Dubois", "Thomas", "Robert", "Richard", "Petit", "Durand", "Leroy", "Moreau", "Simon",
    "Laurent", "Lefèvre", "Michel", "Garcia", "David", "Bertrand", "Roux", "Vincent", "Fournier", "Morel", "Girard",
    "André", "Mercier", "Dupont", "Lambert", "Bonnet", "François", "Martinez", "Legrand", "Garnier", "Faure",
    "Rousseau", "Blanc", "Guérin", "Muller", "Henry", "Roussel", "Nicolas", "Perrin", "Morin", "Mathieu", "Clément",
    "Gauthier", "Dumont", "Lopez", "Fontaine", "Chevalier", "Robin", "Masson", "Sanchez", "Gérard", "Nguyen", "Boyer",
    "Denis", "Lemaire", "Duval", "Joly", "Gautier", "Roger", "Roche", "Roy", "Noël", "Meyer", "Lucas", "Meunier",
    "Jean", "Pérez", "Marchand", "Dufour", "Blanchard", "Marie", "Barbier", "Brun", "Dumas", "Brunet", "Schmitt",
    "Leroux", "Colas", "Fernández", "Benali", "Diallo", "Traoré", "Haddad", "Le Goff", "Le Bihan", "d'Aubigné",
    "De Oliveira", "Kowalski", "Ben Youssef",
)  # fmt: skip
COMPANIES = (
    "Menuiserie Lambert", "Boulangerie du Vieux Port", "Clinique des Tilleuls", "Transports Le Goff",
    "Mairie de Saint-Aubin", "Garage de l'Étoile", "Hôtel Bellevue", "Cabinet Haddad & Associés",
    "Électricité Morel", "Résidence Les Glycines", "Imprimerie Rousseau", "Coopérative laitière du Val",
    "Pharmacie Centrale", "Paysages et Jardins", "Crèche Les Petits Pas", "Bâtiment Perrin Frères",
)  # fmt: skip
TITLES = (
    ("Sauveteur secouriste du travail", "SST"), ("Gestes et postures", "GEP"), ("Habilitation électrique B0", "HAB"),
    ("Excel : les tableaux croisés", "XLS"), ("Prise de parole en public", "PPP"), ("Management de proximité", "MGT"),
    ("Accueil et relation client", "ARC"), ("Hygiène alimentaire (HACCP)", "HAC"), ("Anglais professionnel B1", "ANG"),
    ("Prévention du risque routier", "PRR"), ("Comptabilité pour non-comptables", "CPT"), ("RGPD au quotidien", "RGP"),
    ("Tutorat en entreprise", "TUT"), ("Bilan de compétences", "BDC"), ("Premiers secours en santé mentale", "PSM"),
    ("Évacuation et extincteurs", "INC"),
)  # fmt: skip
PLACES = (
    "12 rue des Ateliers, 44000 Nantes", "4 place de la Gare, 35000 Rennes", "27 quai de la Fosse, 44000 Nantes",
    "Espace Mercœur, 49000 Angers", "À distance (visioconférence)", "8 bis impasse du Moulin, 56000 Vannes",
)  # fmt: skip
DOMAINS = (
    "orange.example", "free.example", "courrier.example", "laposte.example", "wanadoo.example", "mail.example",
    "menuiserie-lambert.example", "mairie-saint-aubin.example", "clinique-tilleuls.example", "hotel-bellevue.example",
)  # fmt: skip
# type → (how common, subject with {title}, text with {first} and {title}, name of the attached file or none)
LETTERS: dict[str, tuple[float, str, str, str | None]] = {
    "convocation": (
        26, "Convocation : {title}",
        "Bonjour {first},\n\nVous trouverez ci-joint votre convocation à la formation « {title} ».\n\nÀ bientôt,\n",
        "Convocation.pdf",
    ),
    "free": (
        30, "Informations pratiques : {title}",
        "Bonjour {first},\n\nQuelques précisions avant la formation « {title} » : pensez à une pièce d'identité et de "
        "quoi écrire. Le parking est gratuit.\n\nÀ bientôt,\n", None,
    ),
    "evaluation_hot": (
        14, "Votre avis sur la formation {title}",
        "Bonjour {first},\n\nMerci de votre participation. Cinq minutes suffisent pour nous donner votre avis sur "
        "« {title} ».\n\nBien à vous,\n", None,
    ),
    "certificate": (
        11, "Certificat de réalisation : {title}",
        "Bonjour {first},\n\nVoici votre certificat de réalisation pour « {title} ».\n\nBien à vous,\n",
        "Certificat de réalisation.pdf",
    ),
    "convention": (
        7, "Convention de formation : {title}",
        "Bonjour,\n\nVoici la convention relative à « {title} », à nous retourner signée.\n\nCordialement,\n",
        "Convention.pdf",
    ),
    "invoice": (
        7, "Facture : {title}", "Bonjour,\n\nVoici la facture de la formation « {title} ».\n\nCordialement,\n",
        "Facture.pdf",
    ),
    "attendance_certificate": (
        3, "Attestation d'assiduité : {title}",
        "Bonjour {first},\n\nVoici votre attestation d'assiduité pour « {title} ».\n\nBien à vous,\n",
        "Attestation.pdf",
    ),
    "welcome_booklet": (
        2, "Livret d'accueil", "Bonjour {first},\n\nBienvenue ! Voici le livret d'accueil de notre centre.\n",
        "Livret.pdf",
    ),
}  # fmt: skip

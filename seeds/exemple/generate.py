#!/usr/bin/env python3
"""Makes the synthetic sample of this directory: 62 answers to a questionnaire and two registries of networks.

Nothing here describes a real structure or a real person. The communes are real, everything else is invented.

    python3 generate.py [--communes PATH] [--into DIRECTORY]

Standard library only, Python 3.9 or later, no clock and no network: the same communes give the same bytes. `--communes`
defaults to ../cog/communes.csv, `--into` to the directory of this file. Before it ends the script reads back what it wrote
and checks every property that README.md promises.
"""

import argparse
import csv
import datetime
import html
import io
import json
import pathlib
import re
import sys
import unicodedata

HERE = pathlib.Path(__file__).resolve().parent
FORM_ID = "7"
FORM_FILE = "questionnaire.synthetique.form.json"
LISTS_FILE = "questionnaire.synthetique.lists.json"
ENTRIES_FILE = "questionnaire.synthetique.entries.json"
FABRIQUES_FILE = "fabriques-a-initiatives.synthetique.csv"
TIERS_LIEUX_FILE = "tiers-lieux.synthetique.csv"
ANOMALIES_FILE = "anomalies.json"
README_FILE = "README.md"
RESPONDENTS = 62
SMALLEST_CELL = 5


class Dice:
    """SplitMix64: the same numbers on every version of Python."""

    MASK = (1 << 64) - 1

    def __init__(self, seed):
        self.state = seed & self.MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def pick(self, items):
        return items[self.below(len(items))]

    def shuffled(self, items):
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items


# --------------------------------------------------------------------------------------------------------------------
# The plan of the answers
#
# The respondents stand in three groups, by what they let be shown:
#   unnamed (13)  no consent to the name: in no published row
#   silent  (24)  consent to the name, none to the answers
#   open    (25)  both consents: their answers stand beside their name
# For every option the plan says how many of each group tick it. The numbers are such that an option, and what is left to
# its base, holds nobody or at least five: in all, among the 37 whose answers are not shown, and among the 13.

UNNAMED, SILENT, OPEN = "unnamed", "silent", "open"
GROUPS = {UNNAMED: 13, SILENT: 24, OPEN: 25}

NON_RESPONSE = None

SINGLES = {
    "statut_juridique": {
        "association": (8, 14, 18),
        "scic": (0, 5, 2),
        "collectivite": (5, 0, 0),
        "autre": (0, 0, 5),
        NON_RESPONSE: (0, 5, 0),
    },
    "filiere_essentielle": {
        "5": (8, 7, 5),
        "4": (5, 6, 6),
        "3": (0, 6, 4),
        "2": (0, 0, 5),
        "1": (0, 0, 5),
        NON_RESPONSE: (0, 5, 0),
    },
}

MULTIS = {
    "echelle_action": {
        "locale": (8, 14, 16),
        "departementale": (7, 12, 14),
        "regionale": (6, 9, 12),
        "nationale": (0, 6, 5),
        "internationale": (0, 0, 5),
    },
    "types_cooperation": {
        "ptce": (7, 10, 13),
        "tiers_lieu": (8, 11, 15),
        "pat": (5, 7, 9),
        "cae": (0, 6, 3),
        "scic": (5, 4, 6),
        "eit": (0, 5, 3),
        "groupement_employeurs": (0, 5, 2),
        "fabrique_a_initiatives": (5, 3, 4),
        "non_modelisee": (8, 13, 19),
        "autre": (0, 5, 1),
        NON_RESPONSE: (0, 5, 0),
    },
    "modalites": {
        "individuel": (8, 10, 18),
        "collectif": (8, 12, 17),
        "formation": (5, 9, 12),
        "mise_en_reseau": (8, 13, 19),
        "animation": (7, 11, 14),
        "ingenierie": (6, 8, 13),
        "financement": (0, 5, 5),
        "evaluation": (5, 1, 4),
        "autre": (0, 5, 1),
        NON_RESPONSE: (0, 5, 0),
    },
    "dimensions": {
        "modele_economique": (8, 18, 21),
        "strategie_projet": (8, 17, 19),
        "gouvernance": (7, 16, 18),
        "ingenierie_animation": (5, 14, 17),
        "autre": (0, 5, 2),
    },
    "identification": {
        "pairs": (13, 16, 17),
        "candidature_directe": (8, 13, 14),
        "appel_a_projets": (5, 11, 12),
        "collectivite": (5, 8, 9),
        "veille": (0, 5, 4),
        "autre": (0, 5, 0),
    },
    "financements": {
        "subventions_publiques": (13, 19, 22),
        "prestations": (8, 14, 16),
        "fondations": (5, 9, 10),
        "adhesions": (7, 11, 12),
        "fonds_europeens": (5, 5, 6),
        "mecenat": (0, 5, 4),
        "autre": (0, 0, 5),
    },
    "besoins": {
        "echange_pairs": (13, 19, 21),
        "formation": (6, 10, 12),
        "outils": (8, 12, 13),
        "financement": (8, 14, 15),
        "mesure_impact": (5, 9, 11),
        "visibilite": (5, 8, 9),
        "autre": (0, 5, 1),
    },
}

# An option that stands alone, and the others among those who did not choose it.
EITHER = {
    "reseaux": (
        {"aucun": (0, 5, 1)},
        {
            "ptce": (5, 8, 9),
            "tiers_lieux": (6, 7, 8),
            "cress": (8, 9, 10),
            "coorace": (0, 0, 6),
            "france_active": (5, 4, 5),
            "avise": (0, 5, 4),
            "urscoop": (0, 0, 5),
            "reseau_rural": (5, 5, 6),
            "unadel": (0, 5, 1),
            "fabrique_a_initiatives": (0, 6, 4),
            "pat": (5, 2, 3),
            "mouvement_associatif": (0, 5, 2),
            "autre": (0, 5, 3),
        },
    ),
    "thematiques": (
        {"generaliste": (8, 16, 18)},
        {
            "alimentation": (5, 6, 3),
            "energie": (0, 0, 5),
            "mobilite": (0, 5, 2),
            "numerique": (0, 6, 1),
            "culture": (0, 5, 3),
            "economie_circulaire": (5, 2, 1),
            "insertion": (5, 5, 4),
            "sante": (0, 0, 5),
            "autre": (0, 5, 0),
        },
    ),
}

# Whole answers to "stades", as option sets: (unnamed, silent, open).
STADES = {
    ("emergence", "consolidation", "changement_echelle"): (8, 13, 15),
    ("emergence", "consolidation"): (5, 1, 0),
    ("emergence",): (0, 5, 5),
    ("consolidation", "changement_echelle"): (0, 0, 5),
    (): (0, 5, 0),
}

OTHER_TEXTS = {
    "statut_juridique": ["Union d'associations", "Établissement public", "Société d'économie mixte", "Collectif en cours de déclaration", ""],
    "reseaux": ["Un réseau départemental informel", "Groupe de travail inter-structures", "Réseau thématique local", "Cercle d'acteurs du pays", "", "Réseau d'éducation populaire", "Collectif de facilitateurs", ""],
    "types_cooperation": ["Monnaie locale", "Pôle petite enfance", "Cuisine partagée", "", "Régie de quartier", "Ressourcerie à plusieurs"],
    "thematiques": ["Petite enfance", "Tourisme", "Jeunesse", "Forêt & bois", ""],
    "modalites": ["Accueil de stagiaires", "Voyages d'étude", "", "Parrainage", "Mise à disposition de locaux", "Veille partagée"],
    "dimensions": ["Aspects juridiques", "Communication", "Foncier", "", "Ressources humaines", "Aspects juridiques et fiscaux", "Numérique"],
    "identification": ["Rencontres fortuites", "Salons", "", "Anciens bénéficiaires", "Presse locale"],
    "financements": ["Prêt participatif", "Bénévolat valorisé", "", "Titres associatifs", "Vente de publications"],
    "besoins": ["Du temps long", "Un appui juridique", "", "Des locaux", "Une reconnaissance du métier", "Un observatoire"],
}

# The questionnaire's lists. (key on the wiki, label on the wiki, our code): for some lists the keys are our codes, for
# others they are numbers or words of the wiki's own, and only the label tells.
WIKI_LISTS = {
    "ListStatutJuridique": ("Statut juridique", [
        ("association", "Association", "association"),
        ("scic", "SCIC", "scic"),
        ("scop", "SCOP", "scop"),
        ("collectivite", "Collectivité territoriale & groupements", "collectivite"),
        ("chambre_consulaire", "Chambre consulaire", "chambre_consulaire"),
        ("gip", "Groupement d'intérêt public (GIP)", "gip"),
        ("fondation", "Fondation", "fondation"),
        ("entreprise", "Entreprise (hors coopérative)", "entreprise"),
        ("autre", "Autre (précisez)", "autre"),
    ]),
    # A list made by an old version of the wiki: integer ids, no children.
    "ListeEchelleAction": ("Échelle d'action", [
        (1, "Locale (commune, EPCI)", "locale"),
        (2, "Départementale", "departementale"),
        (3, "Régionale", "regionale"),
        (4, "Nationale", "nationale"),
        (5, "Internationale (Europe & au-delà)", "internationale"),
    ]),
    "ListReseaux": ("Réseaux", [
        ("ptce", "Réseau des PTCE", "ptce"),
        ("tiers_lieux", "Tiers-lieux (réseau national ou régional)", "tiers_lieux"),
        ("cress", "Chambre régionale de l'économie sociale & solidaire (CRESS)", "cress"),
        ("coorace", "Coorace", "coorace"),
        ("france_active", "France Active", "france_active"),
        ("avise", "Communauté Avise", "avise"),
        ("urscoop", "URSCOP (union régionale des Scop & Scic)", "urscoop"),
        ("reseau_rural", "Réseau rural", "reseau_rural"),
        ("unadel", "Unadel", "unadel"),
        ("fabrique_a_initiatives", "Réseau des Fabriques à initiatives", "fabrique_a_initiatives"),
        ("pat", "Réseau national des PAT", "pat"),
        ("mouvement_associatif", "Le Mouvement associatif", "mouvement_associatif"),
        ("autre", "Autre (précisez)", "autre"),
        ("aucun", "Aucun réseau", "aucun"),
    ]),
    "ListTypesCooperation": ("Types de coopération", [
        ("ptce", "Pôle territorial de coopération économique (PTCE)", "ptce"),
        ("tiers_lieu", "Tiers-lieu", "tiers_lieu"),
        ("pat", "Projet alimentaire territorial (PAT)", "pat"),
        ("cae", "Coopérative d'activités & d'emploi (CAE)", "cae"),
        ("scic", "Société coopérative d'intérêt collectif (SCIC)", "scic"),
        ("eit", "Écologie industrielle & territoriale (EIT)", "eit"),
        ("groupement_employeurs", "Groupement d'employeurs (GE, GEIQ)", "groupement_employeurs"),
        ("fabrique_a_initiatives", "Fabrique à initiatives", "fabrique_a_initiatives"),
        ("non_modelisee", "Coopération non modélisée (sans modèle préexistant)", "non_modelisee"),
        ("autre", "Autre (précisez)", "autre"),
    ]),
    "ListThematiques": ("Thématiques", [
        ("generaliste", "Généraliste (toutes thématiques)", "generaliste"),
        ("alimentation", "Alimentation & agriculture", "alimentation"),
        ("energie", "Énergie", "energie"),
        ("mobilite", "Mobilité", "mobilite"),
        ("habitat", "Habitat", "habitat"),
        ("numerique", "Numérique", "numerique"),
        ("culture", "Culture", "culture"),
        ("economie_circulaire", "Économie circulaire", "economie_circulaire"),
        ("insertion", "Insertion & emploi", "insertion"),
        ("sante", "Santé", "sante"),
        ("autre", "Autre (précisez)", "autre"),
    ]),
    "ListModalites": ("Modalités", [
        ("individuel", "Accompagnement individuel", "individuel"),
        ("collectif", "Accompagnement collectif", "collectif"),
        ("formation", "Formation", "formation"),
        ("mise_en_reseau", "Mise en réseau", "mise_en_reseau"),
        ("animation", "Animation / facilitation", "animation"),
        ("ingenierie", "Conseil & ingénierie", "ingenierie"),
        ("financement", "Appui financier", "financement"),
        ("evaluation", "Évaluation", "evaluation"),
        ("autre", "Autre (précisez)", "autre"),
    ]),
    # Keys 0..n-1: the form's options become a JSON array.
    "ListDimensions": ("Dimensions", [
        ("0", "Modèle économique & financement", "modele_economique"),
        ("1", "Stratégie & projet", "strategie_projet"),
        ("2", "Gouvernance", "gouvernance"),
        ("3", "Ingénierie & animation", "ingenierie_animation"),
        ("4", "Autre (précisez)", "autre"),
    ]),
    "ListIdentification": ("Identification", [
        ("pairs", "Par les pairs", "pairs"),
        ("candidature_directe", "Candidature directe", "candidature_directe"),
        ("appel_a_projets", "Appel à projets ou à manifestation d'intérêt", "appel_a_projets"),
        ("collectivite", "Par une collectivité", "collectivite"),
        ("veille", "Veille, repérage", "veille"),
        ("autre", "Autre (précisez)", "autre"),
    ]),
    "ListStades": ("Stades", [
        ("emergence", "Émergence", "emergence"),
        ("consolidation", "Consolidation", "consolidation"),
        ("changement_echelle", "Changement d'échelle, essaimage", "changement_echelle"),
    ]),
    "ListFiliere": ("Filière", [
        ("1", "1 - Pas du tout essentielle", "1"),
        ("2", "2", "2"),
        ("3", "3", "3"),
        ("4", "4", "4"),
        ("5", "5 - Tout à fait essentielle", "5"),
    ]),
    "ListFinancements": ("Financements", [
        ("sub_pub", "Subventions publiques (État, collectivités)", "subventions_publiques"),
        ("presta", "Prestations & ventes de services", "prestations"),
        ("fonda", "Fondations", "fondations"),
        ("cotis", "Adhésions, cotisations", "adhesions"),
        ("europe", "Fonds européens (FEDER, FSE, LEADER…)", "fonds_europeens"),
        ("dons", "Mécénat & dons", "mecenat"),
        ("autre", "Autre (précisez)", "autre"),
    ]),
    "ListBesoins": ("Besoins", [
        ("echange_pairs", "Davantage d'échanges entre pairs", "echange_pairs"),
        ("formation", "Formation", "formation"),
        ("outils", "Outils & méthodes", "outils"),
        ("financement", "Financement", "financement"),
        ("mesure_impact", "Mesure d'impact", "mesure_impact"),
        ("visibilite", "Visibilité & communication", "visibilite"),
        ("autre", "Autre (précisez)", "autre"),
    ]),
    "ListOuiNon": ("Oui, non", [("oui", "Oui", "oui"), ("non", "Non", "non")]),
}

# (kind of field, id, label, list or "", required, readable by, variable of the questionnaire or "")
FIELDS = [
    ("texte", "bf_titre", "Nom de la structure", "", True, "*", "nom"),
    ("texte", "bf_siret", "SIRET", "", False, "*", "siret"),
    ("radio", "bf_statut", "Statut juridique", "ListStatutJuridique", True, "*", "statut_juridique"),
    ("texte", "bf_statut_autre", "Autre statut, précisez", "", False, "*", ""),
    ("texte", "bf_code_postal", "Code postal", "", False, "*", "code_postal"),
    ("texte", "bf_ville", "Ville", "", False, "*", "commune"),
    ("texte", "bf_code_insee", "Code INSEE de la commune", "", False, "*", "code_insee"),
    ("map", "geolocation", "geolocation", "", False, "*", ""),
    ("checkbox", "bf_echelle", "Échelle(s) d'action", "ListeEchelleAction", True, "*", "echelle_action"),
    ("checkbox", "bf_reseaux", "Réseaux auxquels la structure participe", "ListReseaux", False, "*", "reseaux"),
    ("texte", "bf_reseaux_autre", "Autre réseau, précisez", "", False, "*", ""),
    ("checkbox", "bf_types_cooperation", "Types de coopérations accompagnées", "ListTypesCooperation", False, "*", "types_cooperation"),
    ("texte", "bf_types_cooperation_autre", "Autre type de coopération, précisez", "", False, "*", ""),
    ("checkbox", "bf_thematiques", "Thématiques", "ListThematiques", False, "*", "thematiques"),
    ("texte", "bf_thematiques_autre", "Autre thématique, précisez", "", False, "*", ""),
    ("checkbox", "bf_modalites", "Modalités d'accompagnement", "ListModalites", False, "*", "modalites"),
    ("texte", "bf_modalites_autre", "Autre modalité, précisez", "", False, "*", ""),
    ("checkbox", "bf_dimensions", "Dimensions de la coopération travaillées", "ListDimensions", False, "*", "dimensions"),
    ("texte", "bf_dimensions_autre", "Autre dimension, précisez", "", False, "*", ""),
    ("checkbox", "bf_identification", "Comment identifiez-vous les coopérations ?", "ListIdentification", False, "*", "identification"),
    ("texte", "bf_identification_autre", "Autre moyen d'identification, précisez", "", False, "*", ""),
    ("checkbox", "bf_stades", "Stades auxquels vous intervenez", "ListStades", False, "*", "stades"),
    ("liste", "bf_filiere_essentielle", "La prise en compte de la filière est-elle essentielle ? (1 à 5)", "ListFiliere", False, "*", "filiere_essentielle"),
    ("checkbox", "bf_financements", "Financements de l'accompagnement", "ListFinancements", False, "*", "financements"),
    ("texte", "bf_financements_autre", "Autre financement, précisez", "", False, "*", ""),
    ("checkbox", "bf_besoins", "Besoins de la structure", "ListBesoins", False, "*", "besoins"),
    ("texte", "bf_besoins_autre", "Autre besoin, précisez", "", False, "*", ""),
    ("lien_internet", "bf_site_web", "Site web", "", False, "*", "site_web"),
    ("texte", "bf_contact_nom", "Nom du contact", "", False, "*", "contact_nom"),
    ("champs_mail", "bf_contact_courriel", "Courriel du contact", "", False, "*", "contact_courriel"),
    ("texte", "bf_contact_telephone", "Téléphone du contact", "", False, "@admins", "contact_telephone"),
    ("radio", "bf_consentement", "La structure peut-elle figurer dans l'annuaire public & sur la carte ?", "ListOuiNon", False, "*", "consentement"),
    ("radio", "bf_consentement_reponses", "Ses réponses peuvent-elles figurer à côté de son nom ?", "ListOuiNon", False, "*", "consentement_reponses"),
]
FIELD_OF = {variable: field for _, field, _, _, _, _, variable in FIELDS if variable}
LIST_OF = {variable: list_id for _, _, _, list_id, _, _, variable in FIELDS if list_id}

# Real communes, invented structures. One row a place: INSEE code, then what is wrong with it, if anything.
SURVEY_PLACES = [(code, "") for code in """
94011 77108 78206 28218 45234 41238 39198 25056 21194 76447 50129 14724 62193 59360 60010 02381 67482 08105 08183 10297
44109 49328 44107 56121 56083 35099 33550 19031 33003 47127 64238 34108 12145 09329 11280 42187 01004 69204 38062 74137
07317 84054 13077 84068 2B033 2A103 97420 97422 97107 63113 86194""".split()] + [
    ("06088", "lost_leading_zero"),
    ("35238", "cedex"), ("59350", "cedex"), ("31555", "cedex"),
    ("75111", "arrondissement"), ("75120", "arrondissement"), ("69387", "arrondissement"), ("13202", "arrondissement"),
    ("17123", "former_commune_name"), ("19267", "former_commune_name"), ("42190", "former_commune_name"),
]

FABRIQUE_PLACES = """
08328 81257 24026 16154 77079 95504 67447 07010 09261 19274 12133 90099 64132 29170 55122 06112 36088 28110 30062 59011
82037 25539 02691 21231 84133 45302 01344 91570 97403 97229""".split()

ORDINARY_PLACES = """
10387 11262 12202 13028 14366 15014 16015 17299 18279 21054 22093 24322 25388 26362 27375 28085 29075 2A004
30007 31446 32013 33192 34172 35047 36044 37261 38193 39300 40046 41194 42095 43157 44035 45232 46042 47157
49307 51108 52121 53062 54329 55545 56162 57672 58194 59172 60612 61001 62178 63124 64445 65440 66136 67462
68376 69244 70550 71306 72181 73008 74225 76681 77305 78005 79191 80021 81099 82121 83047 84007 85047 86066
87085 88160 89024 90010 91161 92007 93010 94079 95487 10325 11441 12096 13105 14258 15012 16028 17291 18015
19010 21295 22050 23008 24557 25035 26218 27469 28116 29160 2A032 2B134 30075 31410 32132 33527 34032 35257
36005 37139 38064 39097 40197 41047 42305 43041 44201 45004 46224 47027 48095 49244 50256 51055 52250 53054
54152 55181 56247 57484 58160 59524 60368 61486 62604 63291 64024 65460 66140 67137 68042 69121 70285 71076
72373 73215 74043 76034 77326 78124 79185 80131 81209 82087 83032 84137 85020 86139 87125 88383 89003 90032
91200 92020 93031 94017 95127 10115 11106 12157 13113 14666 15154 16019 17296 18165 19153 21200 22098 23093
24028 25542 26041 27018 28127 29230 2A272 2B148 30312 31263 32242 33070 34078 35079 36142 37115 38511 39415
40123 41232 42195 43089 44114 45049 46309 47137 48061 49211 50639 51030 52182 53267""".split()
LOST_ZERO_PLACES = "02245 07340 02720 01005 02504 02307 06136 07122 07041 08367 03236 03095".split()
SAINT_PLACES = "12225 95566 33485 41198 85238 43185 97410 85215".split()
OVERSEAS_PLACES = "97109 97120 97117 97230 97207 97223 97306 97352 97312 97409 97407 97405 97610 97602 97607".split()
CEDEX_PLACES = "69266 93053 92012 49007 33522 18033 92009 62427 92019".split()
FORMER_CODE_PLACES = [("57124", "57646"), ("44131", "44042"), ("24547", "24583"), ("59501", "59376"),
                      ("28393", "28097"), ("50502", "50459"), ("16073", "16305"), ("85046", "85124")]
FORMER_NAME_PLACES = "24072 50306 27166 70108 59248 79272 71260 49321".split()
ARRONDISSEMENT_PLACES = ("75101 75104 75110 75112 75113 75118 75119 75120 "
                         "69381 69383 69388 69389 13201 13206 13210 13215").split()

NOUNS = ["Le Fil", "La Grange", "L'Atelier", "La Passerelle", "Le Comptoir", "La Fabrique", "Le Relais", "La Boussole",
         "L'Escale", "La Clairière", "Le Chantier", "La Remise", "Le Préau", "La Halle", "L'Étape", "La Lanterne",
         "Le Sémaphore", "La Trame", "Le Carrefour", "L'Établi"]
QUALIFIERS = ["commun", "des possibles", "aux idées", "de plein vent", "des voisins", "en partage", "du bout du champ",
              "des quatre saisons", "à plusieurs mains", "de la rivière", "des rencontres", "du dimanche", "sans clôture",
              "des savoir-faire", "du lendemain", "de l'œuvre commune", "des mille pas", "à ciel ouvert", "du bon accord",
              "de proximité"]
STREETS = ["rue des Exemples", "place du Modèle", "chemin de l'Échantillon", "avenue de la Démonstration",
           "impasse du Jeu d'essai", "route de l'Invention", "quai de la Fiction", "allée du Prétexte"]


# --------------------------------------------------------------------------------------------------------------------
# Small things


def luhn_digit(digits):
    """The digit to append so that the whole passes the Luhn check."""
    total = 0
    for i, c in enumerate(reversed(digits)):
        d = int(c)
        if i % 2 == 0:
            d = d * 2 - 9 if d > 4 else d * 2
        total += d
    return str(-total % 10)


def luhn_holds(digits):
    return luhn_digit(digits[:-1]) == digits[-1]


class Sirets:
    """Invented numbers that pass the check, from 000 1 and 000 2: ranges where no number in use is known to us."""

    def __init__(self, dice, series):
        self.dice, self.series, self.used = dice, series, set()

    def next(self):
        while True:
            siren = "000%d%04d" % (self.series, self.dice.below(10000))
            siren += luhn_digit(siren)
            nic = "000%d" % self.dice.between(1, 4)
            siret = siren + nic + luhn_digit(siren + nic)
            if siren not in self.used:
                self.used.add(siren)
                assert luhn_holds(siret) and luhn_holds(siren)
                return siret


def spaced(siret):
    return "%s %s %s %s" % (siret[:3], siret[3:6], siret[6:9], siret[9:])


def without_accents(text):
    text = text.replace("œ", "oe").replace("Œ", "Oe")
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def folded(text):
    """Case, accents and spaces do not matter."""
    return "".join(without_accents(text).casefold().split())


def page_name(title):
    """The page name that the wiki makes of a title: accents dropped, words joined."""
    words = re.split(r"[^A-Za-z0-9]+", without_accents(title))
    return "".join(w[:1].upper() + w[1:] for w in words if w)


def escaped(text):
    """The wiki gives text back with & as an entity."""
    return text.replace("&", "&amp;")


def encode(value, hexes):
    """JSON as PHP writes it: ASCII only, / escaped; with `hexes` also < > & ' and the double quote."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(encode(v, hexes) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(encode(str(k), hexes) + ":" + encode(v, hexes) for k, v in value.items()) + "}"
    out = []
    for c in value:
        if c == '"':
            out.append("\\u0022" if hexes else '\\"')
        elif c in "<>&'" and hexes:
            out.append("\\u%04X" % ord(c))
        elif c == "/":
            out.append("\\/")
        else:
            out.append(json.dumps(c)[1:-1])
    return '"' + "".join(out) + '"'


class Communes:
    """The communes by code, whatever the name of the columns that hold their position."""

    def __init__(self, path):
        self.by_code, self.postcodes = {}, set()
        with open(path, encoding="utf-8", newline="") as f:
            for row in csv.DictReader(f):
                row["longitude"] = row.get("longitude", row.get("lon", ""))
                row["latitude"] = row.get("latitude", row.get("lat", ""))
                self.postcodes.update(p for p in row["codes_postaux"].split("|") if p)
                # Communes in force win over delegated communes that kept the same code.
                if row["code"] not in self.by_code or row["type"] == "COM":
                    self.by_code[row["code"]] = row

    def __getitem__(self, code):
        return self.by_code[code]

    def whole(self, code):
        """The commune in force that a delegated or associated commune belongs to; itself otherwise."""
        row = self[code]
        return self[row["parent"]] if row["type"] in ("COMD", "COMA") else row

    def in_force(self, code):
        """INSEE code of the commune in force, Paris for one of its arrondissements."""
        row = self.whole(code)
        return row["parent"] if row["type"] == "ARM" else row["code"]

    def postcode(self, code):
        row = self[code]
        return (row["codes_postaux"] or self.whole(code)["codes_postaux"]).split("|")[0]

    def position(self, code, dice):
        """Near the middle of the commune: (latitude, longitude) in degrees."""
        row = self.whole(code)
        row = row if row["longitude"] else self[row["parent"]]
        jitter = [dice.between(-12, 12) / 10000 for _ in range(2)]
        return float(row["latitude"]) + jitter[0], float(row["longitude"]) + jitter[1]

    def cedex(self, code, dice):
        """A postal code of the département that no commune has."""
        while True:
            candidate = self.postcode(code)[:2] + "%03d" % dice.between(9, 989)
            if candidate not in self.postcodes:
                return candidate


class Planted:
    """The answer sheet: what is wrong on purpose, and where."""

    def __init__(self):
        self.kinds = {}
        self.communes = {}  # id -> INSEE code of the commune in force

    def add(self, kind, what, **where):
        entry = self.kinds.setdefault(kind, {"what": what, "where": []})
        assert entry["what"] == what, kind
        entry["where"].append(where)

    def as_json(self):
        return {kind: {"count": len(e["where"]), "what": e["what"], "where": e["where"]}
                for kind, e in sorted(self.kinds.items())}


# --------------------------------------------------------------------------------------------------------------------
# The answers


def spread(dice, members, counts):
    """Gives each option to that many members, and at least one option to each member."""
    chosen = {m: set() for m in members}
    for option, n in counts.items():
        for m in dice.shuffled(members)[:n]:
            chosen[m].add(option)
    for m in members:
        while not chosen[m]:
            giver = dice.pick(members)
            if len(chosen[giver]) > 1:
                option = dice.pick(sorted(chosen[giver]))
                chosen[giver].discard(option)
                chosen[m].add(option)
    return chosen


def plan_answers(dice):
    """[{variable: set of codes}] and the group of each respondent."""
    group_of = dice.shuffled([g for g, n in GROUPS.items() for _ in range(n)])
    answers = [{} for _ in range(RESPONDENTS)]
    for position, group in enumerate(GROUPS):
        members = [i for i in range(RESPONDENTS) if group_of[i] == group]
        for variable, options in SINGLES.items():
            slots = [o for o, n in options.items() for _ in range(n[position])]
            assert len(slots) == len(members), (variable, group)
            for m, option in zip(dice.shuffled(members), slots):
                answers[m][variable] = set() if option is NON_RESPONSE else {option}
        for variable, options in MULTIS.items():
            order = dice.shuffled(members)
            silent = options.get(NON_RESPONSE, (0, 0, 0))[position]
            counts = {o: n[position] for o, n in options.items() if o is not NON_RESPONSE}
            for m in order[:silent]:
                answers[m][variable] = set()
            for m, ticked in spread(dice, order[silent:], counts).items():
                answers[m][variable] = ticked
        for variable, (alone, others) in EITHER.items():
            order = dice.shuffled(members)
            (option, n), = alone.items()
            for m in order[:n[position]]:
                answers[m][variable] = {option}
            for m, ticked in spread(dice, order[n[position]:], {o: c[position] for o, c in others.items()}).items():
                answers[m][variable] = ticked
        slots = [set(s) for s, n in STADES.items() for _ in range(n[position])]
        assert len(slots) == len(members), group
        for m, ticked in zip(dice.shuffled(members), slots):
            answers[m]["stades"] = ticked
    return answers, group_of


def names(dice, n):
    """Distinct invented names."""
    every = [a + " " + b for a in NOUNS for b in QUALIFIERS]
    # Agreement: the feminine nouns, and nouns that hide their gender, only take qualifiers that do not show it.
    every = [e for e in every if not e.endswith(" commun") or e.startswith("Le ") or e in ("L'Atelier commun", "L'Établi commun")]
    chosen = dice.shuffled(every)[:n]
    assert len(set(chosen)) == n
    return chosen


def make_survey(communes):
    dice, planted = Dice(20240115), Planted()
    sirets = Sirets(dice, 1)
    answers, group_of = plan_answers(dice)
    places = dice.shuffled(SURVEY_PLACES)
    titles = ["Structure synthétique %02d – %s" % (i + 1, name) for i, name in enumerate(names(dice, RESPONDENTS))]
    # What is wrong with a name or a position is planted where it shows: among those who let their name be published.
    plain = dice.shuffled([i for i, (code, kind) in enumerate(places)
                           if not kind and code[:2] not in ("97", "2A", "2B") and group_of[i] != UNNAMED])
    special = {}
    for kind, n in (("swapped_coordinates", 2), ("decimal_comma_coordinates", 2), ("coordinates_missing", 6),
                    ("coordinates_top_level_only", 2), ("coordinates_carte_google", 1)):
        for _ in range(n):
            special[plain.pop()] = kind
    titles[plain[0]] = titles[plain[0]].replace("–", "– Graines & ponts,", 1)
    titles[plain[1]] = titles[plain[1]].replace("–", "– Terre & mer,", 1)
    entity_titles = {plain[0], plain[1]}
    titles[plain[2]] += " 🌱"
    emoji_title = plain[2]
    twin, original = sorted(plain[3:5], reverse=True)
    titles[twin] = titles[original]
    siret_order = dice.shuffled(range(RESPONDENTS))
    siret_kind = {}
    for kind, n in (("siret_absent", 6), ("siret_luhn_invalid", 1), ("siret_length_invalid", 1), ("siret_spaced", 3)):
        for _ in range(n):
            siret_kind[siret_order.pop()] = kind
    open_members = [i for i in range(RESPONDENTS) if group_of[i] == OPEN]
    conflict = next(i for i in open_members if "cress" in answers[i]["reseaux"] and len(answers[i]["reseaux"]) == 2)
    vanished = next(i for i in open_members if "alimentation" in answers[i]["thematiques"] and i != conflict)
    site_order = dice.shuffled(range(RESPONDENTS))
    no_site, bare_site = set(site_order[:9]), {site_order[9]}

    # Consents: how "no" is written varies, and absent is no.
    unnamed = dice.shuffled([i for i in range(RESPONDENTS) if group_of[i] == UNNAMED])
    silent = dice.shuffled([i for i in range(RESPONDENTS) if group_of[i] == SILENT])
    name_consent = {i: "oui" for i in range(RESPONDENTS)}
    answers_consent = dict(name_consent)
    for i, value in zip(unnamed, ["non"] * 7 + [""] * 3 + ["absent"] * 3):
        name_consent[i] = value
    no_answers = [unnamed[k] for k in (0, 1, 2, 7, 8, 10, 11)] + silent
    for k, i in enumerate(no_answers):
        answers_consent[i] = ("non", "non", "absent", "non", "")[k % 5]

    keys = {v: {code: str(key) for key, _, code in WIKI_LISTS[LIST_OF[v]][1]} for v in LIST_OF}
    other_left = {v: dice.shuffled(texts) for v, texts in OTHER_TEXTS.items()}
    started = datetime.datetime(2024, 1, 15, 8, 30)
    created = sorted(started + datetime.timedelta(minutes=dice.below(60 * 24 * 75)) for _ in range(RESPONDENTS))
    edited = set(dice.shuffled(range(RESPONDENTS))[:14])
    empties = 0
    entries, used_ids = [], set()
    for i in range(RESPONDENTS):
        entry_id = page_name(titles[i])
        if entry_id in used_ids:
            entry_id += "2"
        used_ids.add(entry_id)
        body = {"id_typeannonce": FORM_ID, "id_fiche": entry_id, "bf_titre": escaped(titles[i])}

        kind = siret_kind.get(i, "")
        siret = sirets.next()
        if kind == "siret_absent":
            siret = ""
            planted.add(kind, "no SIRET given", id=entry_id)
        elif kind == "siret_luhn_invalid":
            siret = siret[:-1] + str((int(siret[-1]) + 3) % 10)
            planted.add("siret_invalid", "SIRET that fails (check digit or length)", id=entry_id, value=siret)
        elif kind == "siret_length_invalid":
            siret = siret[:-1]
            planted.add("siret_invalid", "SIRET that fails (check digit or length)", id=entry_id, value=siret)
        elif kind == "siret_spaced":
            planted.add(kind, "valid SIRET written with spaces", id=entry_id, siret=siret)
            siret = spaced(siret)
        body["bf_siret"] = siret

        # Where it sits.
        code, kind = places[i]
        commune = communes[code]
        town, postcode, insee = commune["nom"], communes.postcode(code), code if dice.below(3) else ""
        latitude, longitude = ["%.4f" % x for x in communes.position(code, dice)]
        truth = planted.communes[entry_id] = communes.in_force(code)
        if kind == "cedex":
            town, postcode, insee = town + dice.pick([" CEDEX", " Cedex 2", " cedex 09"]), communes.cedex(code, dice), ""
            planted.add(kind, "CEDEX in the town and a CEDEX postal code, no INSEE code", id=entry_id, code_insee=truth)
        elif kind == "arrondissement":
            city, number = re.match(r"(\w+) (\d+)", town).groups()
            town = dice.pick(["%s %se", "%s %s", "%s %sème arrondissement"]) % (city, number)
            insee = code if code == "75120" else ""
            planted.add(kind, "arrondissement of Paris, Lyon or Marseille in place of the commune", id=entry_id, arrondissement=code, code_insee=truth)
        elif kind == "former_commune_name":
            insee = ""
            planted.add(kind, "name of a former commune, no INSEE code", id=entry_id, ancien_code=code, code_insee=truth)
        elif kind == "lost_leading_zero":
            postcode, insee = postcode.lstrip("0"), ""
            planted.add(kind, "postal code without its leading zero", id=entry_id, code_insee=truth)
        body["bf_code_postal"], body["bf_ville"], body["bf_code_insee"] = postcode, town, insee
        kind = special.get(i, "")
        if kind == "swapped_coordinates":
            latitude, longitude = longitude, latitude
            planted.add(kind, "latitude and longitude swapped", id=entry_id)
        elif kind == "decimal_comma_coordinates":
            latitude, longitude = latitude.replace(".", ","), longitude.replace(".", ",")
            planted.add(kind, "coordinates with a decimal comma", id=entry_id)
        if kind == "coordinates_missing":
            planted.add(kind, "no coordinates: the keys are absent", id=entry_id)
        elif kind == "coordinates_carte_google":
            body["carte_google"] = latitude + "|" + longitude
            planted.add(kind, "coordinates only in the old key carte_google, as latitude|longitude", id=entry_id)
        else:
            body["bf_latitude"], body["bf_longitude"] = latitude, longitude
            if kind == "coordinates_top_level_only":
                planted.add(kind, "bf_latitude and bf_longitude without the object geolocation", id=entry_id)
            else:
                body["geolocation"] = {"bf_latitude": latitude, "bf_longitude": longitude}

        # Closed questions.
        for variable in list(SINGLES) + list(MULTIS) + list(EITHER) + ["stades"]:
            field, ticked = FIELD_OF[variable], answers[i][variable]
            order = [code for _, _, code in WIKI_LISTS[LIST_OF[variable]][1]]
            values = [keys[variable][c] for c in order if c in ticked]
            if variable == "reseaux" and i == conflict:
                values.append(keys[variable]["aucun"])
                planted.add("exclusive_conflict", "`aucun` ticked together with networks; it is to be dropped, the networks count", id=entry_id, field=field, kept=sorted(ticked))
            if variable == "thematiques" and i == vanished:
                values.append("biodiversite")
                planted.add("unknown_option", "key that is no longer in its list; the other keys of the cell count", id=entry_id, field=field, key="biodiversite", kept=sorted(ticked))
            if values:
                body[field] = ",".join(values)
            else:
                empties += 1
                shape = ("", "absent", None)[empties % 3]
                if shape != "absent":
                    body[field] = shape
                planted.add("non_response", "question left unanswered: empty text, null or absent key", id=entry_id, field=field, shape={"": "empty", None: "null"}.get(shape, shape))
            if variable in OTHER_TEXTS and variable != "statut_juridique" or field == "bf_statut":
                text = other_left[variable].pop() if "autre" in ticked else ""
                if "autre" in ticked and not text:
                    planted.add("other_without_text", "option `autre` ticked, its text left empty", id=entry_id, field=field)
                body[field + "_autre"] = escaped(text)

        if i in no_site:
            body["bf_site_web"] = ""
        elif i in bare_site:
            body["bf_site_web"] = "structure-%02d.example.org" % (i + 1)
            planted.add("url_without_scheme", "web address without https://", id=entry_id, value=body["bf_site_web"])
        else:
            body["bf_site_web"] = "https://structure-%02d.example.org/" % (i + 1)
        body["bf_contact_nom"] = "Contact exemple %02d" % (i + 1)
        body["bf_contact_courriel"] = ""
        body["bf_contact_telephone"] = ""
        for field, value in (("bf_consentement", name_consent[i]), ("bf_consentement_reponses", answers_consent[i])):
            if value != "absent":
                body[field] = value

        modified = created[i]
        if i in edited:
            modified += datetime.timedelta(minutes=dice.between(30, 60 * 24 * 20))
        body["date_creation_fiche"] = created[i].strftime("%Y-%m-%d %H:%M:%S")
        body["statut_fiche"] = "1"
        body["date_maj_fiche"] = modified.strftime("%Y-%m-%d %H:%M:%S")
        if i in entity_titles:
            planted.add("entity_in_title", "& written as an entity in the name", id=entry_id, name=titles[i])
        if i == emoji_title:
            planted.add("emoji_in_title", "emoji in the name (surrogate pair in the JSON)", id=entry_id)
        if i == twin:
            planted.add("duplicate_title", "two answers with the same name; the second page name ends in 2", id=entry_id, other=page_name(titles[original]))
        entry = dict(body)
        # Addresses of the ranges reserved for documentation.
        entry["user"] = "%s.%d" % (dice.pick(["192.0.2", "198.51.100", "203.0.113"]), dice.between(1, 254))
        entry["owner"] = ""
        entry["html_data"] = html_data(body)
        entry["url"] = "https://example.org/?" + entry_id
        entries.append((modified, i, entry_id, entry))
    entries.sort(key=lambda e: e[:2])
    return {entry_id: entry for _, _, entry_id, entry in entries}, planted


def html_data(body):
    """The wiki repeats what can be filtered as HTML attributes; a value "0" is lost there."""
    shown = {f for kind, f, *_ in FIELDS if kind in ("radio", "liste", "checkbox")}
    shown |= {"id_typeannonce", "id_fiche", "bf_latitude", "bf_longitude", "date_creation_fiche", "statut_fiche", "date_maj_fiche"}
    return "".join('data-%s="%s" ' % (k, v) for k, v in body.items() if k in shown and v not in ("", "0", None))


def make_form():
    """As ?api/forms/{id} answers."""
    description = "DONNÉES SYNTHÉTIQUES : questionnaire d'exemple, réponses inventées, aucune structure réelle."
    prepared, template = [], []
    for kind, field, label, list_id, required, readable, _ in FIELDS:
        label = escaped(label)
        must = "1" if required else ""
        item = {"id": field, "propertyname": field, "label": label, "name": field,
                "type": {"texte": "text", "champs_mail": "email", "lien_internet": "link"}.get(kind, kind),
                "default": "", "searchable": "0" if kind == "champs_mail" else "", "required": required, "helper": "",
                "read_acl": readable, "write_acl": "*", "sem_type": ""}
        line = [kind, field, label, "", "", "", "", "", must, "", "", readable, "*", "", "", ""]
        if kind == "texte":
            item.update(maxChars="255", size="60", subType="text", pattern="")
            line[3:5], line[7] = ["60", "255"], "text"
        elif list_id:
            options = [(str(k), escaped(text)) for k, text, _ in WIKI_LISTS[list_id][1]]
            in_order = [k for k, _ in options] == [str(n) for n in range(len(options))]
            item.update(linkedObjectName=list_id, queries="", options=[t for _, t in options] if in_order else dict(options))
            line[1], line[6] = list_id, field
        elif kind == "champs_mail":
            item.update(sendMail=False, showContactForm=True, seeEmailAcls="@admins")
            line[6], line[9] = "form", "0"
        elif kind == "lien_internet":
            item.update(displayVideo=False, ratio="", maxWidth=0, maxHeight=0, **{"class": ""})
        elif kind == "map":
            item["name"] = "bf_latitude"
            item.update(latitudeField="bf_latitude", longitudeField="bf_longitude", autocomplete=None, geolocate=0,
                        autocompleteFieldnames={"postalCode": "bf_code_postal", "town": "bf_ville", "street": "bf_adresse",
                                                "street1": "bf_adresse1", "street2": "bf_adresse2", "county": "", "state": "bf_pays"})
            line[1:3] = ["bf_latitude", "bf_longitude"]
        prepared.append(item)
        template.append(line)
    raw = "\n".join("***".join({"": " ", "*": " * "}.get(c, c) for c in line) for line in template)
    return {"bn_id_nature": FORM_ID, "bn_label_nature": "Structures qui accompagnent la coopération territoriale (exemple synthétique)",
            "bn_description": description, "bn_condition": "", "bn_sem_context": "", "bn_sem_type": "", "bn_sem_use_template": "1",
            "bn_template": raw, "bn_ce_i18n": "fr-FR", "bn_only_one_entry": "N", "bn_only_one_entry_message": "",
            "template": template, "prepared": prepared}


def make_lists():
    """As ?BazaR/json&demand=lists answers."""
    lists = {}
    for list_id, (title, options) in WIKI_LISTS.items():
        nodes = []
        for key, label, _ in options:
            node = {"id": key, "label": escaped(label)}
            if not isinstance(key, int):
                node["children"] = []
            nodes.append(node)
        lists[list_id] = {"title": title + " (exemple synthétique)", "nodes": nodes, "id": list_id}
    return lists


# --------------------------------------------------------------------------------------------------------------------
# The registries


def make_fabriques(communes):
    dice = Dice(20240330)
    rows = [["id", "nom", "territoire", "commune", "code_insee", "code_postal", "longitude", "latitude", "site_web", "date_maj"]]
    for i, code in enumerate(FABRIQUE_PLACES):
        latitude, longitude = communes.position(code, dice)
        town = communes[code]["nom"]
        updated = datetime.date(2023, 9, 1) + datetime.timedelta(days=dice.below(240))
        territory = dice.pick(["Bassin de vie de %s", "%s et ses environs", "Autour de %s, entre ville et campagne"]) % town
        rows.append(["FAI-%02d" % (i + 1), "Fabrique à initiatives synthétique %02d" % (i + 1), territory, town, code,
                     communes.postcode(code), "%.5f" % longitude, "%.5f" % latitude,
                     "" if i in (6, 19) else "https://fabrique-%02d.example.org/" % (i + 1), updated.isoformat()])
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


TIERS_LIEUX_COLUMNS = "ID NOM SIRET ADRESSE CODPOST VILLE INSEE LAT LON OUVERT SURFACE_M2 DATE_OUVERTURE DATE_MAJ SITE".split()


def make_tiers_lieux(communes):
    """Text of the registry, its answer sheet and its number of records."""
    dice, planted = Dice(20240401), Planted()
    sirets = Sirets(dice, 2)
    places = ([(c, "") for c in ORDINARY_PLACES] + [(c, "lost_leading_zero") for c in LOST_ZERO_PLACES]
              + [(c, "saint_abbreviated") for c in SAINT_PLACES] + [(c, "overseas") for c in OVERSEAS_PLACES]
              + [(c, "cedex") for c in CEDEX_PLACES] + [(c, "former_insee_code") for c, _ in FORMER_CODE_PLACES]
              + [(c, "former_commune_name") for c in FORMER_NAME_PLACES]
              + [(c, "arrondissement") for c in ARRONDISSEMENT_PLACES] + [("", "unknown_commune")])
    places = dice.shuffled(places)
    former_code = dict(FORMER_CODE_PLACES)
    ordinary = dice.shuffled([i for i, (_, kind) in enumerate(places) if not kind])
    kind_of = {}
    for kind, n in (("coordinates_missing", 15), ("swapped_coordinates", 5), ("zero_coordinates", 4), ("out_of_bounds_coordinates", 2),
                    ("decimal_comma_coordinates", 20), ("too_few_cells", 1), ("too_many_cells", 1), ("id_missing", 1),
                    ("duplicate_id", 6), ("duplicate_place", 5), ("entity_amp", 6), ("entity_apostrophe", 6), ("line_feed_in_cell", 6),
                    ("uppercase_name", 12), ("delimiter_in_cell", 3), ("quotes_in_cell", 3), ("siret_invalid", 7), ("siret_spaced", 10),
                    ("siret_scientific", 2), ("date_invalid", 2), ("boolean_invalid", 2), ("insee_missing", 30)):
        for _ in range(n):
            kind_of[ordinary.pop()] = kind
    records, next_id = [], len(places)
    invented = names(dice, len(places))
    for i, (code, place_kind) in enumerate(places):
        kind, number = kind_of.get(i, ""), i + 1
        row_id = "TL-%04d" % number
        name = "Tiers-lieu synthétique %03d – %s" % (number, invented[i].replace("'", "’"))
        siret = sirets.next() if dice.below(100) < 70 or kind.startswith("siret_") or kind == "duplicate_place" else ""
        street = "%d %s" % (dice.between(1, 98), dice.pick(STREETS))
        opened = datetime.date(2012, 1, 1) + datetime.timedelta(days=dice.below(4300))
        updated = datetime.date(2023, 1, 2) + datetime.timedelta(days=dice.below(450))
        surface = ("%d,%d" % (dice.between(35, 1400), dice.pick([0, 0, 5]))).replace(",0", "") if dice.below(8) else ""
        is_open = dice.pick(["oui", "oui", "oui", "oui", "Oui", "OUI", "non", "Non"])
        site = "https://tiers-lieu-%03d.example.org/" % number if dice.below(4) else ""
        opened = opened.strftime("%d/%m/%Y") if dice.below(10) else ""
        marks = []  # (kind, what, details) once the id is known

        if place_kind == "unknown_commune":
            town, postcode, insee, latitude, longitude, truth = "Villeneuve-les-Chimères", "00099", "", "", "", None
            marks.append((place_kind, "commune that does not exist, with a postal code that does not exist and no coordinates", {"value": town}))
        else:
            row = communes[code]
            town, postcode, insee = row["nom"], communes.postcode(code), code
            latitude, longitude = ["%.5f" % x for x in communes.position(code, dice)]
            truth = communes.in_force(code)
            if not place_kind and not dice.below(4):
                town = without_accents(town).upper()
            if place_kind == "lost_leading_zero":
                postcode, insee = postcode.lstrip("0"), insee.lstrip("0")
                marks.append((place_kind, "postal code and INSEE code without their leading zero", {"code_insee": truth}))
            elif place_kind == "saint_abbreviated":
                town = re.sub("^Saint(e?)-", lambda m: dice.pick(["St%s ", "ST%s-", "St%s-"]) % m.group(1), town)
                insee = ""
                marks.append((place_kind, "St or Ste for Saint or Sainte, no INSEE code", {"code_insee": truth, "value": town}))
            elif place_kind == "overseas":
                marks.append((place_kind, "overseas département; nothing is wrong", {"code_insee": truth}))
            elif place_kind == "cedex":
                town = dice.pick(["%s CEDEX", "%s Cedex", "%s CEDEX 03"]) % (town.upper() if dice.below(2) else town)
                postcode, insee = communes.cedex(code, dice), ""
                marks.append((place_kind, "CEDEX in the town and a CEDEX postal code, no INSEE code", {"code_insee": truth}))
            elif place_kind == "former_insee_code":
                insee = former_code[code]
                marks.append((place_kind, "INSEE code of a commune that was merged into another", {"ancien_code": insee, "code_insee": truth}))
            elif place_kind == "former_commune_name":
                insee = ""
                marks.append((place_kind, "name of a former commune, no INSEE code", {"ancien_code": code, "code_insee": truth}))
            elif place_kind == "arrondissement":
                city, digits = re.match(r"(\w+) (\d+)", town).groups()
                town = dice.pick(["%s %sE ARRONDISSEMENT", "%s %se", "%s %s"]) % (dice.pick([city, city.upper()]), digits)
                if not dice.below(5):
                    town = city
                insee = code if dice.below(2) else ""
                marks.append((place_kind, "arrondissement of Paris, Lyon or Marseille in place of the commune", {"arrondissement": code, "code_insee": truth}))
        if kind == "coordinates_missing":
            latitude = longitude = ""
            marks.append((kind, "no coordinates", {}))
        elif kind == "swapped_coordinates":
            latitude, longitude = longitude, latitude
            marks.append((kind, "latitude and longitude swapped", {}))
        elif kind == "zero_coordinates":
            latitude = longitude = "0"
            marks.append((kind, "latitude and longitude are 0", {}))
        elif kind == "out_of_bounds_coordinates":
            latitude = "1" + latitude
            marks.append((kind, "latitude above 90 degrees", {"value": latitude}))
        elif kind == "decimal_comma_coordinates":
            latitude, longitude = latitude.replace(".", ","), longitude.replace(".", ",")
            marks.append((kind, "coordinates with a decimal comma", {}))
        elif kind == "entity_amp":
            name += " &amp; Cie"
            marks.append((kind, "&amp; in the name", {"name": html.unescape(name)}))
        elif kind == "entity_apostrophe":
            name += " d&#039;ici"
            marks.append((kind, "&#039; in the name", {"name": html.unescape(name)}))
        elif kind == "line_feed_in_cell":
            street = "Bâtiment B\n" + street
            marks.append((kind, "line feed within a quoted cell (ADRESSE)", {"column": "ADRESSE"}))
        elif kind == "uppercase_name":
            name = name.upper()
            marks.append((kind, "name in capitals", {}))
        elif kind == "delimiter_in_cell":
            street += " ; 2e étage"
            marks.append((kind, "delimiter within a quoted cell (ADRESSE)", {"column": "ADRESSE"}))
        elif kind == "quotes_in_cell":
            name += ' dit "Le Lieu"'
            marks.append((kind, "doubled quotes within a quoted cell (NOM)", {"column": "NOM"}))
        elif kind == "siret_invalid":
            siret = siret[:-1] + str((int(siret[-1]) + 5) % 10)
            marks.append((kind, "SIRET with a wrong check digit", {"value": siret}))
        elif kind == "siret_spaced":
            marks.append((kind, "valid SIRET written with spaces", {"siret": siret}))
            siret = spaced(siret)
        elif kind == "siret_scientific":
            siret = "%s,%sE+10" % (siret.lstrip("0")[0], siret.lstrip("0")[1:6])
            marks.append((kind, "SIRET that a spreadsheet turned into a number", {"value": siret}))
        elif kind == "date_invalid":
            opened = "31/02/2021"
            marks.append((kind, "date that does not exist (DATE_OUVERTURE)", {"column": "DATE_OUVERTURE", "value": opened}))
        elif kind == "boolean_invalid":
            is_open = "en travaux"
            marks.append((kind, "neither oui nor non (OUVERT)", {"column": "OUVERT", "value": is_open}))
        elif kind == "insee_missing":
            insee = ""
            marks.append((kind, "no INSEE code; postal code and name are right", {"code_insee": truth}))
        elif kind == "id_missing":
            row_id = ""
            marks.append((kind, "row without id", {"name": name}))

        record = [row_id, name, siret, street, postcode, town, insee, latitude, longitude, is_open, surface, opened, updated.strftime("%d/%m/%Y"), site]
        assert len(record) == len(TIERS_LIEUX_COLUMNS)
        if kind == "too_few_cells":
            del record[9:11]
            marks.append((kind, "row with 12 cells instead of 14", {"cells": 12}))
        elif kind == "too_many_cells":
            record.insert(4, "Bâtiment C")
            marks.append((kind, "row with 15 cells instead of 14", {"cells": 15}))
        entry = {"row": record, "marks": marks}
        records.append(entry)
        if kind not in ("id_missing", "too_few_cells", "too_many_cells"):
            planted.communes[row_id] = truth
        if kind == "duplicate_id":
            older = list(record)
            older[10] = "99,5"
            older[12] = (updated - datetime.timedelta(days=dice.between(40, 400))).strftime("%d/%m/%Y")
            twin = {"row": older, "marks": []}
            entry["older"] = twin
            records.append(twin)
        elif kind == "duplicate_place":
            next_id += 1
            again = list(record)
            again[0] = "TL-%04d" % next_id
            again[1] = name.split(" – ")[1] + " (tiers-lieu synthétique %03d)" % number
            again[13] = ""
            planted.communes[again[0]] = truth
            records.append({"row": again, "marks": [(kind, "the same place under another id and another spelling of its name (same SIRET, address and position)", {"other": row_id})]})

    records = dice.shuffled(records)
    number_of = {id(r): n + 1 for n, r in enumerate(records)}
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(TIERS_LIEUX_COLUMNS)
    for n, r in enumerate(records):
        writer.writerow(r["row"])
        for kind, what, details in r["marks"]:
            planted.add(kind, what, id=r["row"][0], record=n + 1, **details)
        if "older" in r:
            planted.add("duplicate_id", "the same id twice; the row with the later DATE_MAJ is the one to keep", id=r["row"][0],
                        record=n + 1, older_record=number_of[id(r["older"])], date_maj=r["row"][12], older_date_maj=r["older"]["row"][12])
    # The csv module ends a line within a cell as it was given: LF in a cell, CRLF between rows.
    return out.getvalue(), planted, len(records)


# --------------------------------------------------------------------------------------------------------------------
# What README.md promises, computed from the written bytes


def codes_of(entry, variable):
    """The codes ticked in an entry, as a reader of the form would find them."""
    by_key = {str(key): code for key, _, code in WIKI_LISTS[LIST_OF[variable]][1]}
    found = {by_key[k] for k in (entry.get(FIELD_OF[variable]) or "").split(",") if k in by_key}
    return found - {"aucun"} if len(found) > 1 else found


def holds(condition, message):
    if not condition:
        sys.exit("generate.py: the sample does not hold: " + message)


def fair(n, base):
    return all(x == 0 or x >= SMALLEST_CELL for x in (n, base - n))


def check_survey(entries):
    closed = list(SINGLES) + list(MULTIS) + list(EITHER) + ["stades"]
    rows = [{v: codes_of(e, v) for v in closed} for e in entries.values()]
    named = [e.get("bf_consentement") == "oui" for e in entries.values()]
    shown = [a and e.get("bf_consentement_reponses") == "oui" for a, e in zip(named, entries.values())]
    agreed = [e.get("bf_consentement_reponses") == "oui" for e in entries.values()]
    n = len(rows)
    holds(n == RESPONDENTS, "62 answers")
    pairs = {(a, b): sum(1 for x in zip(named, agreed) if x == (a, b)) for a in (True, False) for b in (True, False)}
    holds(pairs == {(True, True): 25, (True, False): 24, (False, True): 6, (False, False): 7}, "consents %s" % pairs)
    circles = {"all": [True] * n, "answers not shown": [not s for s in shown], "in no row": [not a for a in named]}
    table = {}
    for v in closed:
        options = [code for _, _, code in WIKI_LISTS[LIST_OF[v]][1]]
        for circle, inside in circles.items():
            those = [r[v] for r, yes in zip(rows, inside) if yes]
            answered = sum(1 for r in those if r)
            holds(fair(answered, len(those)), "%s, %s: non-response of %d" % (v, circle, len(those) - answered))
            for option in options:
                ticks = sum(1 for r in those if option in r)
                for base in (answered, len(those)):
                    holds(fair(ticks, base), "%s, %s, %s: %d of %d" % (v, option, circle, ticks, base))
            if circle == "all":
                table[v] = {"options": {o: sum(1 for r in those if o in r) for o in options}, "answered": answered,
                            "mentions": sum(len(r) for r in those), "non_response": len(those) - answered}

    def percent(x, base):
        return (200 * x + base) // (2 * base)

    count = {v: t["options"] for v, t in table.items()}
    in_network = sum(1 for r in rows if r["reseaux"] - {"aucun"})
    every_stage = sum(1 for r in rows if len(r["stades"]) == 3)
    essential = count["filiere_essentielle"]["4"] + count["filiere_essentielle"]["5"]
    holds((in_network, percent(in_network, n)) == (56, 90), "56 in a network")
    holds((count["statut_juridique"]["association"], percent(40, n)) == (40, 65), "40 associations")
    holds((count["financements"]["subventions_publiques"], percent(54, n)) == (54, 87), "54 with public subsidies")
    holds((count["besoins"]["echange_pairs"], percent(53, n)) == (53, 85), "53 in need of exchange")
    types = table["types_cooperation"]
    holds(percent(count["types_cooperation"]["non_modelisee"], types["mentions"]) == 22, "22 % of mentions")
    holds(3 * count["thematiques"]["generaliste"] >= 2 * n, "generaliste at two thirds")
    for d in ("modele_economique", "strategie_projet", "gouvernance", "ingenierie_animation"):
        holds(2 * count["dimensions"][d] > n, d)
    holds(3 * count["identification"]["pairs"] >= 2 * n, "pairs at two thirds")
    holds(2 * every_stage > n and fair(every_stage, n), "every stage")
    holds(2 * essential > n and fair(essential, n), "filière")
    holds(len({e["bf_titre"] for e in entries.values()}) == 61, "one name twice")
    holds(all("synth" in e["bf_titre"] for e in entries.values()), "names say synthetic")
    return table


def check_places(planted, communes):
    regions = set()
    for code, _ in SURVEY_PLACES:
        regions.add(communes[communes.in_force(code)]["region"])
    holds(len(planted.communes) == RESPONDENTS, "every answer has its commune")
    holds(len(SURVEY_PLACES) == RESPONDENTS == len({c for c, _ in SURVEY_PLACES}), "62 places")
    holds(len(regions) == 15 and len(regions & {"01", "02", "03", "04", "06"}) >= 2, "regions %s" % sorted(regions))


def check_labels():
    """Every label on the wiki is a label or an alias of its code in ../codes, for a reader to whom only case, accents and spaces do not matter."""
    for variable, list_id in LIST_OF.items():
        name = "oui_non" if list_id == "ListOuiNon" else variable
        with open(HERE.parent / "codes" / (name + ".csv"), encoding="utf-8", newline="") as f:
            meaning = {}
            for row in csv.DictReader(f):
                for text in [row["code"], row["label"]] + [a for a in row["aliases"].split("|") if a]:
                    holds(meaning.setdefault(folded(text), row["code"]) == row["code"], "%s: %r is ambiguous" % (name, text))
            for _, label, code in WIKI_LISTS[list_id][1]:
                holds(meaning.get(folded(label)) == code, "%s: no code for the label %r" % (name, label))


def check_tiers_lieux(text, planted, records):
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    body = rows[1:]
    holds(len(body) == records == 300, "300 records")
    wrong = [r for r in body if len(r) != len(TIERS_LIEUX_COLUMNS)]
    holds(len(wrong) == 2, "two rows with a wrong number of cells")
    good = [r for r in body if len(r) == len(TIERS_LIEUX_COLUMNS)]
    ids = [r[0] for r in good if r[0]]
    holds(len(good) - len(ids) == 1 and len(ids) - len(set(ids)) == 6, "one row without id, six ids twice")
    for kind, e in planted.kinds.items():
        for w in e["where"]:
            holds(body[w["record"] - 1][0] == w["id"], "record number of " + kind)
    bad = [r[2] for r in good if r[2] and not (re.fullmatch(r"\d{14}", r[2].replace(" ", "")) and luhn_holds(r[2].replace(" ", "")))]
    holds(set(ids) == set(planted.communes), "every place that is kept has its commune")
    holds(len(bad) == 9, "nine unfit SIRET")
    for column in (11, 12):
        unfit = 0
        for r in good:
            try:
                r[column] and datetime.datetime.strptime(r[column], "%d/%m/%Y")
            except ValueError:
                unfit += 1
        holds(unfit == (2 if column == 11 else 0), "unfit dates")
    return {"records": records, "wrong_cells": 2, "id_missing": 1, "older_duplicates": 6, "accepted": len(set(ids))}


def readme_block(table, sheet):
    """The part of README.md between the two markers."""
    out = ["| question | answered | non-response | mentions | options |", "| --- | --: | --: | --: | --- |"]
    for v in LIST_OF:
        if v in table:
            t = table[v]
            out.append("| `%s` (`%s`) | %d | %d | %d | %s |" % (v, FIELD_OF[v], t["answered"], t["non_response"], t["mentions"],
                       ", ".join("%s %d" % x for x in t["options"].items())))
    for name, entry in sheet["files"].items():
        if entry["anomalies"]:
            out += ["", "`%s`" % name, "", "| planted | rows | what |", "| --- | --: | --- |"]
            out += ["| `%s` | %d | %s |" % (k, a["count"], a["what"].replace("|", "\\|")) for k, a in entry["anomalies"].items()]
    return "\n".join(out)


def main():
    arguments = argparse.ArgumentParser(description="Makes the synthetic sample of seeds/exemple.")
    arguments.add_argument("--communes", type=pathlib.Path, default=HERE.parent / "cog" / "communes.csv")
    arguments.add_argument("--into", type=pathlib.Path, default=HERE)
    arguments = arguments.parse_args()
    communes = Communes(arguments.communes)

    check_labels()
    entries, planted = make_survey(communes)
    fabriques = make_fabriques(communes)
    tiers_lieux, planted_places, records = make_tiers_lieux(communes)

    def write(name, data):
        (arguments.into / name).write_bytes(data)

    write(FORM_FILE, encode(make_form(), True).encode("ascii"))
    write(LISTS_FILE, encode(make_lists(), False).encode("ascii"))
    write(ENTRIES_FILE, encode(entries, True).encode("ascii"))
    write(FABRIQUES_FILE, fabriques.encode("utf-8"))
    write(TIERS_LIEUX_FILE, tiers_lieux.encode("cp1252"))

    back = json.loads((arguments.into / ENTRIES_FILE).read_text(encoding="ascii"))
    holds(back == entries, "the entries read back")
    table = check_survey(back)
    check_places(planted, communes)
    text = (arguments.into / TIERS_LIEUX_FILE).read_bytes().decode("cp1252")
    outcome = check_tiers_lieux(text, planted_places, records)

    sheet = {
        "synthetic": True,
        "note": "What is wrong on purpose in the files of this directory. `record` counts data rows from 1, the header left out; `code_insee` is the commune where the row belongs; `communes` says it for every id that is kept, wrong or right (null: nowhere).",
        "files": {
            ENTRIES_FILE: {"rows": RESPONDENTS,
                           "consents": {"name_and_answers": 25, "name_only": 24, "answers_only": 6, "neither": 7},
                           "anomalies": planted.as_json(), "communes": planted.communes},
            FABRIQUES_FILE: {"rows": len(FABRIQUE_PLACES), "anomalies": {}},
            TIERS_LIEUX_FILE: {"rows": records, "expected": outcome, "anomalies": planted_places.as_json(),
                               "communes": dict(sorted(planted_places.communes.items()))},
        },
    }
    write(ANOMALIES_FILE, (json.dumps(sheet, ensure_ascii=False, indent=1) + "\n").encode("utf-8"))
    readme = (HERE / README_FILE).read_text(encoding="utf-8")
    start, end = "<!-- made by generate.py: start -->\n", "\n<!-- made by generate.py: end -->"
    holds(readme.count(start) == readme.count(end) == 1, "markers in README.md")
    before, rest = readme.split(start)
    write(README_FILE, (before + start + readme_block(table, sheet) + end + rest.split(end)[1]).encode("utf-8"))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The published figures of the questionnaire, by a second method.

    python3 independent_figures.py FORM LISTS ENTRIES

Reads the three raw answers of the wiki and prints one JSON object. It shares nothing with the engine: no code list, no
pipeline file, no figure. An option is understood by its label alone, through the dictionary below; a label that is not
there stops the program, and so do a form and lists that disagree. Standard library only.

Rules, as the questionnaire has them: a cell holds keys joined by commas; a key that its list does not have counts for
nothing; an answer that stands alone (`aucun`) is dropped when others are ticked with it; a respondent has answered a
question when at least one known key is left. Key figures and findings have all respondents as their base.
"""

import fractions
import html
import json
import sys

# question -> (field of the form, {label: code})
QUESTIONS = {
    "statut_juridique": ("bf_statut", {
        "Association": "association",
        "SCIC": "scic",
        "SCOP": "scop",
        "Collectivité territoriale & groupements": "collectivite",
        "Chambre consulaire": "chambre_consulaire",
        "Groupement d'intérêt public (GIP)": "gip",
        "Fondation": "fondation",
        "Entreprise (hors coopérative)": "entreprise",
        "Autre (précisez)": "autre",
    }),
    "echelle_action": ("bf_echelle", {
        "Locale (commune, EPCI)": "locale",
        "Départementale": "departementale",
        "Régionale": "regionale",
        "Nationale": "nationale",
        "Internationale (Europe & au-delà)": "internationale",
    }),
    "reseaux": ("bf_reseaux", {
        "Réseau des PTCE": "ptce",
        "Tiers-lieux (réseau national ou régional)": "tiers_lieux",
        "Chambre régionale de l'économie sociale & solidaire (CRESS)": "cress",
        "Coorace": "coorace",
        "France Active": "france_active",
        "Communauté Avise": "avise",
        "URSCOP (union régionale des Scop & Scic)": "urscoop",
        "Réseau rural": "reseau_rural",
        "Unadel": "unadel",
        "Réseau des Fabriques à initiatives": "fabrique_a_initiatives",
        "Réseau national des PAT": "pat",
        "Le Mouvement associatif": "mouvement_associatif",
        "Autre (précisez)": "autre",
        "Aucun réseau": "aucun",
    }),
    "types_cooperation": ("bf_types_cooperation", {
        "Pôle territorial de coopération économique (PTCE)": "ptce",
        "Tiers-lieu": "tiers_lieu",
        "Projet alimentaire territorial (PAT)": "pat",
        "Coopérative d'activités & d'emploi (CAE)": "cae",
        "Société coopérative d'intérêt collectif (SCIC)": "scic",
        "Écologie industrielle & territoriale (EIT)": "eit",
        "Groupement d'employeurs (GE, GEIQ)": "groupement_employeurs",
        "Fabrique à initiatives": "fabrique_a_initiatives",
        "Coopération non modélisée (sans modèle préexistant)": "non_modelisee",
        "Autre (précisez)": "autre",
    }),
    "thematiques": ("bf_thematiques", {
        "Généraliste (toutes thématiques)": "generaliste",
        "Alimentation & agriculture": "alimentation",
        "Énergie": "energie",
        "Mobilité": "mobilite",
        "Habitat": "habitat",
        "Numérique": "numerique",
        "Culture": "culture",
        "Économie circulaire": "economie_circulaire",
        "Insertion & emploi": "insertion",
        "Santé": "sante",
        "Autre (précisez)": "autre",
    }),
    "modalites": ("bf_modalites", {
        "Accompagnement individuel": "individuel",
        "Accompagnement collectif": "collectif",
        "Formation": "formation",
        "Mise en réseau": "mise_en_reseau",
        "Animation / facilitation": "animation",
        "Conseil & ingénierie": "ingenierie",
        "Appui financier": "financement",
        "Évaluation": "evaluation",
        "Autre (précisez)": "autre",
    }),
    "dimensions": ("bf_dimensions", {
        "Modèle économique & financement": "modele_economique",
        "Stratégie & projet": "strategie_projet",
        "Gouvernance": "gouvernance",
        "Ingénierie & animation": "ingenierie_animation",
        "Autre (précisez)": "autre",
    }),
    "identification": ("bf_identification", {
        "Par les pairs": "pairs",
        "Candidature directe": "candidature_directe",
        "Appel à projets ou à manifestation d'intérêt": "appel_a_projets",
        "Par une collectivité": "collectivite",
        "Veille, repérage": "veille",
        "Autre (précisez)": "autre",
    }),
    "stades": ("bf_stades", {
        "Émergence": "emergence",
        "Consolidation": "consolidation",
        "Changement d'échelle, essaimage": "changement_echelle",
    }),
    "filiere_essentielle": ("bf_filiere_essentielle", {
        "1 - Pas du tout essentielle": "1",
        "2": "2",
        "3": "3",
        "4": "4",
        "5 - Tout à fait essentielle": "5",
    }),
    "financements": ("bf_financements", {
        "Subventions publiques (État, collectivités)": "subventions_publiques",
        "Prestations & ventes de services": "prestations",
        "Fondations": "fondations",
        "Adhésions, cotisations": "adhesions",
        "Fonds européens (FEDER, FSE, LEADER…)": "fonds_europeens",
        "Mécénat & dons": "mecenat",
        "Autre (précisez)": "autre",
    }),
    "besoins": ("bf_besoins", {
        "Davantage d'échanges entre pairs": "echange_pairs",
        "Formation": "formation",
        "Outils & méthodes": "outils",
        "Financement": "financement",
        "Mesure d'impact": "mesure_impact",
        "Visibilité & communication": "visibilite",
        "Autre (précisez)": "autre",
    }),
}
ALONE = {"reseaux": "aucun"}


def stop(message):
    sys.exit("independent_figures.py: " + message)


def labels_of_form(form):
    """{field: (list id, {key: label})}; options are an object, or an array when the keys are 0, 1, 2..."""
    found = {}
    for field in form["prepared"]:
        options = field.get("options")
        if options is None:
            continue
        pairs = enumerate(options) if isinstance(options, list) else options.items()
        found[field["id"]] = (field["linkedObjectName"], {str(key): html.unescape(label).strip() for key, label in pairs})
    return found


def labels_of_list(one):
    found, waiting = {}, list(one["nodes"])
    while waiting:
        node = waiting.pop(0)
        found[str(node["id"])] = html.unescape(node["label"]).strip()
        waiting += node.get("children", [])
    return found


def rounded_percent(share):
    """Half up."""
    return None if share is None else int(share * 100 + fractions.Fraction(1, 2))


def figure(n, base):
    share = fractions.Fraction(n, base) if base else None
    return {"n": n, "base": base, "part": None if share is None else float(share), "pour_cent": rounded_percent(share)}


def main(form_path, lists_path, entries_path):
    with open(form_path, encoding="utf-8") as f:
        form = json.load(f)
    with open(lists_path, encoding="utf-8") as f:
        lists = json.load(f)
    with open(entries_path, encoding="utf-8") as f:
        everything = json.load(f)
    entries = [e for e in everything.values() if isinstance(e, dict) and e.get("id_typeannonce") == str(form["bn_id_nature"])]
    labels = labels_of_form(form)

    ticked = {}  # question -> one set of codes per respondent
    unknown = {}
    for question, (field, meaning) in QUESTIONS.items():
        if field not in labels:
            stop("the form has no choice field " + field)
        list_id, by_key = labels[field]
        if list_id not in lists or labels_of_list(lists[list_id]) != by_key:
            stop("form and lists disagree about " + list_id)
        strangers = sorted(set(by_key.values()) - set(meaning))
        if strangers:
            stop("%s: no meaning for %s" % (field, ", ".join(strangers)))
        ticked[question], unknown[question] = [], 0
        for entry in entries:
            cell = entry.get(field)
            keys = [k.strip() for k in cell.split(",")] if cell else []
            unknown[question] += sum(1 for k in keys if k not in by_key)
            codes = {meaning[by_key[k]] for k in keys if k in by_key}
            if len(codes) > 1:
                codes.discard(ALONE.get(question))
            ticked[question].append(codes)

    total = len(entries)

    def count(question, condition):
        return sum(1 for codes in ticked[question] if condition(codes))

    result = {}
    for question, (_, meaning) in QUESTIONS.items():
        answered = count(question, bool)
        result[question] = {
            "options": {code: count(question, lambda codes: code in codes) for code in meaning.values()},
            "repondants": total,
            "answered": answered,
            "mentions": sum(len(codes) for codes in ticked[question]),
            "non_reponse": total - answered,
            "cles_inconnues": unknown[question],
        }

    types = result["types_cooperation"]
    key_figures = {
        "repondants": {"n": total, "base": None, "part": None, "pour_cent": None},
        "participent_a_un_reseau": figure(count("reseaux", lambda codes: codes - {"aucun"}), total),
        "associations": figure(result["statut_juridique"]["options"]["association"], total),
        "subventions_publiques": figure(result["financements"]["options"]["subventions_publiques"], total),
        "cooperations_non_modelisees": figure(types["options"]["non_modelisee"], types["mentions"]),
        "besoin_echange_pairs": figure(result["besoins"]["options"]["echange_pairs"], total),
    }

    def finding(n, threshold, strictly):
        share = fractions.Fraction(n, total) if total else fractions.Fraction(0)
        return {"n": n, "base": total, "part": float(share), "seuil": str(threshold), "strictement": strictly,
                "holds": share > threshold if strictly else share >= threshold}

    half, two_thirds = fractions.Fraction(1, 2), fractions.Fraction(2, 3)
    main_dimensions = {code: finding(result["dimensions"]["options"][code], half, True)
                       for code in ("modele_economique", "strategie_projet", "gouvernance", "ingenierie_animation")}
    findings = {
        "generaliste": finding(result["thematiques"]["options"]["generaliste"], two_thirds, False),
        "quatre_dimensions": {"dimensions": main_dimensions, "holds": all(d["holds"] for d in main_dimensions.values())},
        "identification_par_les_pairs": finding(result["identification"]["options"]["pairs"], two_thirds, False),
        "tous_les_stades": finding(count("stades", lambda codes: len(codes) == 3), half, True),
        "filiere_essentielle": finding(count("filiere_essentielle", lambda codes: codes & {"4", "5"}), half, True),
    }
    print(json.dumps({"chiffres_cles": key_figures, **result, "constats": findings}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        stop("three arguments: FORM LISTS ENTRIES")
    main(*sys.argv[1:])

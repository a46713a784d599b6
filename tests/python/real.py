"""Looks at what Essaim made of a real file with other eyes: counts rows, places, options and the reasons of rejects from
the raw file, with the standard library only.

    real.py PROJECT_FOLDER NAME DATA_FOLDER

Prints one line per thing compared; the exit code is 1 when something differs.
"""

import csv
import html
import json
import math
import re
import sys
import unicodedata
from collections import Counter
from pathlib import Path

project, name, data = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
failures = 0


def say(what, ok, detail=""):
    global failures
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {what} {detail}".rstrip())


def plain(text):
    text = unicodedata.normalize("NFKD", str(text or "").replace("œ", "oe").replace("’", "'"))
    return re.sub(r"[^a-z0-9+]+", " ", "".join(c for c in text if not unicodedata.combining(c)).lower()).strip()


def read_csv(path, **options):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, **options))


def xlsx(path):
    """Rows of the first sheet, read as XML."""
    import zipfile
    from xml.etree import ElementTree

    ns = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as archive:
        shared = []
        if "xl/sharedStrings.xml" in archive.namelist():
            root = ElementTree.fromstring(archive.read("xl/sharedStrings.xml"))
            shared = ["".join(t.text or "" for t in item.iter(f"{ns}t")) for item in root.iter(f"{ns}si")]
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    grid = []
    for row in sheet.iter(f"{ns}row"):
        cells = {}
        for cell in row.iter(f"{ns}c"):
            column = 0
            for letter in re.match(r"[A-Z]+", cell.get("r")).group():
                column = column * 26 + ord(letter) - 64
            value, inline = cell.find(f"{ns}v"), cell.find(f"{ns}is")
            text = value.text if value is not None else "".join(t.text or "" for t in inline.iter(f"{ns}t")) if inline is not None else ""
            cells[column - 1] = shared[int(text)] if cell.get("t") == "s" else text
        grid.append([cells.get(at, "") for at in range(max(cells, default=-1) + 1)])
    header = [" ".join(h.split()) for h in grid[0]]
    return [dict(zip(header, row + [""] * len(header))) for row in grid[1:]]


registries, surveys = data / "registries", data / "surveys"
LIMESURVEY = surveys / "journees-patrimoine-vaud-limesurvey"
EPERNAY = surveys / "inclusion-numerique-epernay-survey123"
ANCT = registries / "fabriques-de-territoire-anct"
PAT = registries / "pat-auvergne-rhone-alpes-2025"


def features(path):
    return [feature["properties"] for feature in json.loads(path.read_text())["features"]]


def lines_of(rows, column, separators, decode=lambda text: text):
    return sum(len([p for p in re.split(separators, decode(str(row[column] or ""))) if p.strip()]) for row in rows)


def raw_tables():
    """Rows of each table as the raw files have them."""
    match name:
        case "tiers-lieux-cget-2019":
            return {"tiers_lieux": read_csv(registries / "tiers-lieux-cget-2019/CGET_TiersLieux_2019.csv")}
        case "tiers-lieux-pays-de-la-loire":
            return {"tiers_lieux": read_csv(registries / "tiers-lieux-pays-de-la-loire-2021/tiers-lieux-pdl-2021-02-02.csv")}
        case "pat-auvergne-rhone-alpes":
            return {"pat": read_csv(PAT / "pat_aura_112025.csv"), "pat_communes": read_csv(PAT / "pat_com.csv")}
        case "ptce-laureats":
            return {"ptce": read_csv(registries / "ptce-laureats-ami/ptce-laureats.csv", delimiter=";")}
        case "fabriques-de-territoire":
            return {"fabriques": features(ANCT / "fabriques_de_territoire.geojson"), "manufactures": features(ANCT / "manufactures_de_proximite.geojson")}
        case "mediation-centre-val-de-loire":
            return {"lieux": json.loads((registries / "mediation-numerique-centre-val-de-loire/hub-lo.json").read_text())}
        case "mediation-maine-et-loire":
            return {"lieux": json.loads((registries / "mediation-numerique-maine-et-loire/maine-et-loire.json").read_text())}
        case "mediation-la-reunion":
            return {"lieux": json.loads((registries / "mediation-numerique-la-reunion/ultra-num.json").read_text())}
        case "sirene-ess-numerique":
            return {"unites": read_csv(registries / "sirene-ess-numerique/ess_numerique_enrichi.csv")}
        case "inclusion-epernay":
            return {"reponses": json.loads((EPERNAY / "epernay.json").read_text())}
        case "inclusion-epernay-csv":
            return {"reponses": read_csv(EPERNAY / "epernay.csv", delimiter=";")}
        case "inclusion-pyrenees-atlantiques":
            return {"reponses": json.loads((surveys / "inclusion-numerique-pyrenees-atlantiques/fibre-64.json").read_text())}
        case "patrimoine-vaud":
            return {"reponses": xlsx(LIMESURVEY / "results-survey4914.xlsx")}
        case "patrimoine-vaud-csv":
            rows = read_csv(LIMESURVEY / "results-survey4914.csv")
            return {"reponses": [{" ".join(k.split()): v for k, v in row.items()} for row in rows]}
        case "patrimoine-vaud-codes":
            return {"reponses": read_csv(LIMESURVEY / "results-survey4914.tsv", delimiter="\t")}


raw = raw_tables()
latest = project / "data/public" / name / "latest"
indicators = project / "data/public" / f"{name}-indicateurs" / "latest"
runs = sorted((project / "data/private/runs").iterdir(), key=lambda run: (run / "record.json").stat().st_mtime)
records = [(run, json.loads((run / "record.json").read_text())) for run in runs]
run, record = [(run, record) for run, record in records if record["pipeline"] == name][-1]
read = {table["table"]: table for table in record["tables"]}


def published(table):
    return read_csv(latest / f"{table}.csv")


def rejects(table):
    path = run / "rejects" / f"{table}.csv"
    return read_csv(path) if path.exists() else []


# Rows in = rows out + rejects, and as many rows as the raw file has.
for table, rows in raw.items():
    seen = read[table]
    rejected = sum(seen["rejects"].values()) if "rejects" in seen else sum(seen["counts"]["rejects"].values())
    say(f"{table}: rows", seen["read"] == len(rows) and seen["read"] == seen["kept"] + rejected, f"{len(rows)} raw, {seen['kept']} kept, {rejected} rejected")
    say(f"{table}: every reject is kept", len(rejects(table)) == rejected)
    if (latest / f"{table}.csv").exists():
        say(f"{table}: published rows", len(published(table)) == seen["kept"])
if name == "pat-auvergne-rhone-alpes":
    say("pat_territoires: items", read["pat_territoires"]["read"] == lines_of(raw["pat"], "territoire", r"\r\n|\n"))
if name == "fabriques-de-territoire":
    # `&amp;` ends in the separator: entities first.
    places = lines_of(raw["fabriques"], "lib_territoire", ";", html.unescape)
    say("fabriques_lieux: items", read["fabriques_lieux"]["read"] == places, f"{places} raw")

# Reasons are true of the raw rows.
TRUE = {
    "lieu_ferme": lambda row: row["AFFICHAGE"] == "INACTIF",
    "ouverture_inconnue": lambda row: not row["AFFICHAGE"],
    "fiche_vide": lambda row: not row["NOM_STRUCTURE"],
    "unite_fermee": lambda row: row["est_active"] == "False",
    "nom_lu_comme_formule": lambda row: row["denomination"][0] in "=+@-",
    "sigle_lu_comme_formule": lambda row: row["sigle"][0] in "=+@-",
    "reponse_de_test": lambda row: any("Test avec" in str(cell) for cell in row.values()),
}
KEYS = {
    "tiers-lieux-pays-de-la-loire": ["NOM DU LIEU"],
    "inclusion-pyrenees-atlantiques": ["Nomdelastructure", "Adressenumeronomdelavoie", "Complementdadresseexquartier...", "Codepostal"],
}
for table, rows in raw.items():
    for reject in rejects(table):
        row, reason = rows[int(reject["ligne"]) - 1], reject["motif"]
        if reason == "doublon":
            key = lambda row: [str(row[column] or "").strip() for column in KEYS[name]]
            true = any(key(row) == key(other) for other in rows[: int(reject["ligne"]) - 1])
        else:
            true = reason in TRUE and TRUE[reason](row)
        if not true:
            say(f"{table}: reason {reason} of row {reject['ligne']}", False)
    if rejects(table):
        reasons = Counter(reject["motif"] for reject in rejects(table))
        say(f"{table}: reasons", True, ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())))

# Places, by the reference that the project was not made from.
communes, by_postal, former, centres = {}, {}, {}, {}
for row in read_csv(data / "reference/communes-cog2026.csv"):
    kind = row.get("type", "")
    code, dep = row["code"], row.get("departement") or row.get("code_departement")
    communes.setdefault(code, dep)
    if row.get("longitude") or row.get("lon"):
        centres.setdefault(code, (float(row.get("longitude") or row["lon"]), float(row.get("latitude") or row["lat"])))
    for postal in re.split(r"[|,; ]+", row.get("codes_postaux") or row.get("codesPostaux") or ""):
        if postal:
            by_postal.setdefault((postal, plain(row["nom"])), set()).add(dep)
    for old in re.split(r"[|,; ]+", row.get("anciens_codes") or row.get("anciensCodes") or ""):
        if old:
            former.setdefault(old, dep)

def km(a, b):
    (x, y), (u, v) = [(math.radians(p[0]), math.radians(p[1])) for p in (a, b)]
    h = math.sin((v - y) / 2) ** 2 + math.cos(y) * math.cos(v) * math.sin((u - x) / 2) ** 2
    return 12742.0176 * math.asin(math.sqrt(h))


# What each register says of the place of a row: the code, what people wrote, the département they named, the point.
PLACES = {
    "tiers-lieux-cget-2019": dict(table="tiers_lieux", own="id", key="ID", insee="INSEECOM", postal="CP", commune="COMINIT", departement="INSEEDEP", point=("LONG", "LAT")),
    "pat-auvergne-rhone-alpes": dict(table="pat_communes", insee="code_insee"),
    "fabriques-de-territoire": dict(table="fabriques", own="id", key="id_territoire", insee="id_geo"),
    "mediation-centre-val-de-loire": dict(table="lieux", own="id", key="c_gid", postal="c_postcode", commune="c_city"),
    "mediation-maine-et-loire": dict(table="lieux", own="id", key="ID_LieuMed", postal="CP", commune="COMMUNE"),
    "tiers-lieux-pays-de-la-loire": dict(table="tiers_lieux", own="nom", key="NOM DU LIEU", insee="result_citycode", address="ADRESSE", departement="DEPARTEMENT", point=("longitude", "latitude")),
    "mediation-la-reunion": dict(table="lieux", own="nom", key="Nom de l'organisation", postal="Code postal", commune="Ville"),
    "sirene-ess-numerique": dict(table="unites", own="siren", key="siren", postal="code_postal", commune="commune"),
}

SHAPES = {}
for feature in json.loads((data / "reference/departements-simplifies.geojson").read_text())["features"]:
    shape = feature["geometry"]
    parts = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
    SHAPES[feature["properties"]["code"]] = [part[0] for part in parts]


def near(point, ring, reach):
    """Whether a point is in a ring, or at most `reach` km outside of it."""
    (x, y), flat, inside = point, math.cos(math.radians(point[1])), False
    for (ax, ay), (bx, by) in zip(ring, ring[1:]):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            inside = not inside
        ux, uy, dx, dy = (ax - x) * flat, ay - y, (bx - ax) * flat, by - ay
        along = max(0, min(1, -(ux * dx + uy * dy) / ((dx * dx + dy * dy) or 1)))
        if math.hypot(ux + along * dx, uy + along * dy) * 111.2 <= reach:
            return True
    return inside


def around(point):
    """Départements that a point may be in; the outlines are simplified."""
    boxed = [(code, ring) for code, rings in SHAPES.items() for ring in rings if min(p[0] for p in ring) - 0.1 < point[0] < max(p[0] for p in ring) + 0.1 and min(p[1] for p in ring) - 0.1 < point[1] < max(p[1] for p in ring) + 0.1]
    return {code for code, ring in boxed if near(point, ring, 5)}


def by_name(postal, commune):
    digits = re.sub(r"\.0$", "", str(postal or "")).zfill(5)
    return by_postal.get((digits, re.sub(r" cedex.*", "", plain(commune))), set())


def witnesses(row, place):
    """The départements that each thing a row says may mean. None of them is believed before the others."""
    said = {}
    code = str(row[place["insee"]] or "").strip() if "insee" in place else ""
    if communes.get(code) or former.get(code):
        said["code"] = {communes.get(code) or former.get(code)}
    if "postal" in place:
        said["name"] = by_name(row[place["postal"]], row[place["commune"]])
    if "address" in place and (match := re.match(r"^.*?[ ,-]*(\d{5})[ ,-]+(.+)$", row[place["address"]].strip())):
        said["name"] = by_name(*match.groups())
    if "departement" in place and str(row[place["departement"]] or "").strip() not in ("", "0"):
        said["departement"] = {str(row[place["departement"]]).strip().zfill(2)}
    if "point" in place:
        try:
            x, y = (float(str(row[column]).replace(",", ".")) for column in place["point"])
            said["point"] = around((x, y))
        except ValueError:
            pass
    return {what: departements for what, departements in said.items() if departements}


if name in PLACES:
    place = PLACES[name]
    table = place["table"]
    found = published(table)
    by_key = {row[place["own"]].strip(): row for row in found} if "own" in place else {}
    path = run / "corrections" / f"{table}.csv"
    told = {int(row["ligne"]) for row in read_csv(path) if row["regle"].startswith(("code_insee_", "coordonnees_"))} if path.exists() else set()
    right = wrong = contradicted = 0
    silent = []
    for number, row in enumerate(raw[table], 1):
        said = witnesses(row, place)
        votes = Counter(departement for departements in said.values() for departement in departements)
        if not votes or not ("code" in said or "name" in said):
            continue
        if by_key:
            made = by_key.get(str(row[place["key"]]).strip())
        else:
            made = next((r for r in found if r["code_commune"] == row["code_insee"]), None)
        if made is None:
            continue
        most = max(votes.values())
        agreed = {departement for departement, count in votes.items() if count == most}
        right += made["code_departement"] in agreed
        wrong += made["code_departement"] not in agreed
        if most < len(said):
            contradicted += 1
            # A name and a département, with no code between them, are weighed by the confidence.
            if "code" in said and number not in told:
                silent.append((number, {what: sorted(d) for what, d in said.items()}))
    share = right / (right + wrong) if right + wrong else 1
    say("département", share >= 0.99 and right + wrong > 0, f"{right} of {right + wrong} right ({share:.2%})")
    say("rows that contradict themselves are told", not silent, f"{contradicted} such rows {silent[:3] if silent else ''}")
    if name == "tiers-lieux-cget-2019":
        # Sophia Antipolis is in the Alpes-Maritimes, whatever its code says.
        say("row 1460", by_key["1460"]["code_departement"] == "06" and not by_key["1460"]["code_insee"])
    if name == "tiers-lieux-pays-de-la-loire":
        usine = next(row for row in found if row["nom"].startswith("L'Usine"))
        say("row 86", float(usine["lieu_confiance"]) <= 0.6, f"{usine['code_departement']} at {usine['lieu_confiance']}")


for table in [path.stem for path in latest.glob("*.csv") if not path.stem.endswith("excel-fr")]:
    rows = published(table)
    if not rows or "longitude" not in rows[0] or "code_insee" not in rows[0]:
        continue
    far = []
    for row in rows:
        if row["longitude"] and row["code_insee"] in centres and row["position_origine"] != "centre_commune":
            away = km((float(row["longitude"]), float(row["latitude"])), centres[row["code_insee"]])
            limit = 200 if row["code_departement"] == "973" else 30.5
            if away > limit:
                far.append((row.get("id"), round(away)))
    say(f"{table}: no point is drawn far from its commune", not far, str(far[:3]) if far else f"{len(rows)} rows")
    loose = [row for row in rows if row.get("lieu_niveau") in ("region", "departement") and row["longitude"] and row["position_origine"] != "source"]
    say(f"{table}: nothing above a commune is drawn", not loose)

# Options of the surveys, counted from the raw files with tables of their own.
CUT = {
    "acteur": ("Quel(s) type(s) d'acteur êtes-vous ?", {"Je_forme": "forme", "J'assiste": "assiste", "Je_dirige": "dirige", "Je_mets": "equipement", "J'équipe": "equipe", "other": "autre"}),
    "publics": ("Quel(s) type(s) de public accompagnez-vous  ?", {"Tout": "tout_public", "Seniors": "seniors", "Familles": "familles", "Adultes": "adultes", "Jeunes": "jeunes", "Public_l": "langues", "Personnes": "illettrisme", "Handicaps_p": "psychiques", "Handicaps_m": "mentaux", "Surdité": "surdite", "Déficience": "visuelle", "other": "autre"}),
    "acces": ("Quelles sont vos conditions d'accès ?", {"Gratuit_": "sous_condition", "Gratuit": "gratuit", "Payant": "payant", "Adhésion": "adhesion", "other": "autre"}),
    "apports": ("Qu'apportez vous aux usagers qui viennent à votre rencontre ?", {"Devenir": "demarches_autonomie", "Réaliser": "demarches", "Prendre": "smartphone", "Utiliser": "quotidien", "_Approfondir": "culture", "_Favoriser": "insertion", "Accéder_à_une": "connexion", "Accéder_à_du": "materiel", "Créer_et": "entreprise", "Créer_avec": "creer", "Accompagner": "sante", "Promouvoir": "citoyennete", "Soutenir": "parentalite", "S'équiper": "equiper"}),
    "modalites": ("Quelles sont vos modalités d'accompagnement ?", {"Accès": "acces_libre", "Assistance": "assistance", "Ateliers_c": "ateliers_collectifs", "Ateliers_i": "ateliers_individuels", "Formation_p": "ponctuelle", "Formation_c": "courte", "Formation_l": "longue"}),
    "priorites": ("Pour vous quelles sont les priorités pour agir sur l'inclusion numérique sur le territoire ?", {"Mieux_conn": "connaitre", "Mieux_comm": "communiquer", "Sensibiliser": "sensibiliser", "Mieux_diag": "diagnostiquer", "Outiller": "outiller", "Équiper": "equiper", "Augmenter": "augmenter"}),
    "accompagnants": ("Qui sont les personnes qui accompagnent les usagers ?", {"Conseillers": "conseillers", "Médiateurs": "mediateurs", "Agents": "accueil", "Intervenants": "sociaux", "Bénévoles": "benevoles", "Services": "services_civiques", "other": "autre"}),
}
X64 = {"libre_acces": "Enlibreacces", "rendez_vous": "Surrendezvousinscription", "domicile": "Adomicilesouscertainesconditions", "itinerance": "Enitinerance", "individuel": "Individuellement", "collectif": "Collectivement"}
ASK = "À quelle(s) source(s) avez-vous eu recours pour vous informer sur le week-end Caves Ouvertes? "
LABELS = {
    "sources": {"journal": ASK + "[Journal quotidien]", "radio": ASK + "[Radio]", "internet": ASK + "[Internet]", "amis": ASK + "[Par des collègues et/ou amis]"},
    "jours": {day.lower(): f"Quel(s) jour(s) avez-vous fait des visites? [{day}]" for day in ("Samedi", "Dimanche")},
    "accompagnement": {"seul": "Vous êtes venu: [Seul]", "conjoint": "Vous êtes venu: [Avec mon conjoint / ma conjointe]", "famille": "Vous êtes venu: [En famille]", "amis": "Vous êtes venu: [Avec des amis]"},
}
CODES = {
    "sources": {"journal": "source_journal", "radio": "source_radio", "internet": "source_internet", "amis": "source_amis"},
    "jours": {"samedi": "visite_samedi", "dimanche": "visite_dimanche"},
    "accompagnement": {"seul": "accomp_seul", "conjoint": "accomp_conjoin", "famille": "accomp_famille", "amis": "accomp_amis"},
}


def compare(question, expected):
    rows = published("reponses")
    found = Counter(code for row in rows for code in row[question].split("|") if code)
    expected = Counter({code: count for code, count in expected.items() if count})
    say(f"{question}: options", found == expected, f"{sum(found.values())} mentions of {len(found)} options" if found == expected else f"{found} instead of {expected}")
    for row in read_csv(indicators / "indicateurs.csv"):
        if row["question"] == question and row["n"] and int(row["n"]) != expected[row["modalite"]]:
            say(f"{question}: indicator {row['modalite']}", False, f"{row['n']} instead of {expected[row['modalite']]}")


kept = {}
for table, rows in raw.items():
    out = {int(reject["ligne"]) for reject in rejects(table)}
    kept[table] = [row for at, row in enumerate(rows, 1) if at not in out]
if name.startswith("inclusion-epernay"):
    for question, (column, starts) in CUT.items():
        expected = Counter()
        for row in kept["reponses"]:
            ticked = set()
            for piece in str(row.get(column) or "").split(","):
                code = next((code for start, code in starts.items() if piece.startswith(start)), None)
                if piece:
                    ticked.add(code)
            if str(row.get(f"Autre - {column}") or "").strip():
                ticked.add("autre")
            expected.update(ticked)
        compare(question, expected)
if name == "inclusion-pyrenees-atlantiques":
    compare("modalites", Counter({code: sum(row[column] == "X" for row in kept["reponses"]) for code, column in X64.items()}))
if name.startswith("patrimoine-vaud"):
    tables, yes = (CODES, "Y") if name.endswith("codes") else (LABELS, "Oui")
    for question, columns in tables.items():
        compare(question, Counter({code: sum(row[column] == yes for row in kept["reponses"]) for code, column in columns.items()}))
    if not name.endswith("codes"):
        asked = sum(row[LABELS["sources"]["radio"]] != "N/A" for row in kept["reponses"])
        bases = {int(row["base"]) for row in read_csv(indicators / "indicateurs.csv") if row["question"] == "sources"}
        say("sources: base is those who were asked", bases == {asked}, str(asked))

table = "; ".join(
    f"{t['table']} {t['read']} rows, {t['kept']} kept, placed {dict(t.get('placed', {}))}" for t in record["tables"]
)
print(f"note {name}: {table}")
sys.exit(failures > 0)

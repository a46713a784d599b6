#!/usr/bin/env python3
"""Writes a GeoJSON of invented places over metropolitan France, always the same for the same arguments.

    python3 many_places.py COUNT FILE

Places gather around some towns, as real ones do; their columns are those of the shipped directory of structures, so that
the map of a published page can be given this file in place of its own.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any, Dict

TOWNS = [
    ("Paris", "Paris", "Île-de-France", 2.35, 48.85),
    ("Lyon", "Rhône", "Auvergne-Rhône-Alpes", 4.83, 45.76),
    ("Marseille", "Bouches-du-Rhône", "Provence-Alpes-Côte d’Azur", 5.37, 43.3),
    ("Toulouse", "Haute-Garonne", "Occitanie", 1.44, 43.6),
    ("Bordeaux", "Gironde", "Nouvelle-Aquitaine", -0.57, 44.84),
    ("Nantes", "Loire-Atlantique", "Pays de la Loire", -1.55, 47.22),
    ("Rennes", "Ille-et-Vilaine", "Bretagne", -1.68, 48.11),
    ("Lille", "Nord", "Hauts-de-France", 3.06, 50.63),
    ("Strasbourg", "Bas-Rhin", "Grand Est", 7.75, 48.58),
    ("Dijon", "Côte-d’Or", "Bourgogne-Franche-Comté", 5.04, 47.32),
    ("Tours", "Indre-et-Loire", "Centre-Val de Loire", 0.68, 47.39),
    ("Rouen", "Seine-Maritime", "Normandie", 1.1, 49.44),
]
STATUSES = ["association", "scic", "scop", "collectivite", "entreprise"]
NETWORKS = ["ptce", "tiers_lieux", "cress", "coorace"]


def place(number: int, chance: random.Random) -> Dict[str, Any]:
    town, departement, region, longitude, latitude = chance.choice(TOWNS)
    # A third is spread over the country, the rest lies around its town.
    if chance.random() < 1 / 3:
        longitude, latitude = chance.uniform(-1.2, 6.2), chance.uniform(43.4, 49.4)
    else:
        longitude, latitude = chance.gauss(longitude, 0.35), chance.gauss(latitude, 0.25)
    longitude, latitude = round(longitude, 5), round(latitude, 5)
    answers = chance.random() < 0.7
    return {
        "type": "Feature",
        "id": f"{number:016x}",
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "properties": {
            "id": f"{number:016x}",
            "nom": f"Lieu inventé {number} de {town}",
            "commune": town,
            "code_postal": f"{chance.randrange(1000, 96000):05d}",
            "departement": departement,
            "region": region,
            "longitude": longitude,
            "latitude": latitude,
            "position_origine": "source",
            "site_web": f"https://lieu-{number}.example.org/",
            "reponses_publiees": answers,
            "statut_juridique": chance.choice(STATUSES) if answers else None,
            "reseaux": sorted(chance.sample(NETWORKS, chance.randrange(0, 3))) if answers else [],
        },
    }


def write(count: int, file: Path) -> None:
    chance = random.Random(50_000)
    features = [place(number, chance) for number in range(count)]
    text = ",\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    file.write_text('{"type":"FeatureCollection","features":[\n' + text + "\n]}\n", encoding="utf-8")


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))

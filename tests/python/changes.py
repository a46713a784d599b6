#!/usr/bin/env python3
"""Compares two releases by their CSV files and checks the changelog of the newer one against that.

    python3 changes.py OLDER_RELEASE_DIR NEWER_RELEASE_DIR

Reads the CSV files and `changes.parquet` and nothing else of what the changelog was made from: every changed cell is
listed with what stands in both CSV files, or is part of a row that is counted as not listed; nothing else is listed; the
counts of `changes.json` are those of the files. Exit code 1 when something differs.
"""

import csv
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pyarrow.parquet

Rows = Dict[str, Dict[str, str]]


def rows_of(folder: Path, table: Dict[str, Any]) -> Rows:
    with open(folder / (table["name"] + ".csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    keyed = {"|".join(row[column] for column in table["key"]): row for row in rows}
    assert len(keyed) == len(rows), "keys of %s are not unique" % table["name"]
    return keyed


def tables_of(folder: Path) -> Dict[str, Any]:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {table["name"]: table for table in manifest["tables"]}


def compare(older: Rows, newer: Rows, columns: List[str]) -> Tuple[set, set, Dict[Tuple[str, str], Tuple[str, str]]]:
    cells = {}
    for key in older.keys() & newer.keys():
        for column in columns:
            before, after = older[key][column], newer[key][column]
            if before != after:
                cells[(key, column)] = (before, after)
    return newer.keys() - older.keys(), older.keys() - newer.keys(), cells


def main(older_path: str, newer_path: str) -> None:
    older_folder, newer_folder = Path(older_path), Path(newer_path)
    older_tables, newer_tables = tables_of(older_folder), tables_of(newer_folder)
    listed: Dict[str, List[Dict[str, Any]]] = defaultdict(list)
    for line in pyarrow.parquet.read_table(newer_folder / "changes.parquet").to_pylist():
        listed[line["table"]].append(line)
    summary = json.loads((newer_folder / "changes.json").read_text(encoding="utf-8"))
    counts = {table["table"]: table for table in summary["tables"]}
    faults, cells_compared, lines = [], 0, 0

    def check(what: str, found: Any, expected: Any) -> None:
        if found != expected:
            faults.append("%s: %r, and not %r" % (what, found, expected))

    check("tables", list(counts), list(newer_tables) + [name for name in older_tables if name not in newer_tables])
    for name in newer_tables.keys() & older_tables.keys():
        older_table, newer_table, count = older_tables[name], newer_tables[name], counts[name]
        mine = listed.pop(name, [])
        lines += len(mine)
        if count["state"] == "not_compared":
            check("%s, lines" % name, len(mine), 0)
            continue
        types = {column["name"]: column["type"] for column in older_table["columns"]}
        columns = [
            column["name"]
            for column in newer_table["columns"]
            if types.get(column["name"]) == column["type"] and not column.get("volatile") and column["name"] not in newer_table["key"]
        ]
        older, newer = rows_of(older_folder, older_table), rows_of(newer_folder, newer_table)
        cells_compared += len(columns) * len(older.keys() & newer.keys())
        added, removed, cells = compare(older, newer, columns)
        keys = {kind: [line["key"] for line in mine if line["change"] == kind] for kind in ("added", "removed")}
        check("%s, added" % name, sorted(keys["added"]), sorted(added))
        check("%s, added" % name, count["added"], len(added))
        check("%s, removed" % name, count["removed"], len(removed))
        check("%s, removed and not listed" % name, count["removed_unlisted"], len(removed) - len(keys["removed"]))
        check("%s, removed that are there" % name, sorted(set(keys["removed"]) - removed), [])
        told = {(line["key"], line["column"]): line for line in mine if line["change"] == "changed"}
        check("%s, lines told twice" % name, len(told) + len(keys["added"]) + len(keys["removed"]), len(mine))
        for place, line in told.items():
            check("%s %s" % (name, place), (line["before"] or "", line["after"] or ""), cells.get(place))
        changed = {key for key, _ in cells}
        silent = {key for key, column in cells if (key, column) not in told}
        check("%s, changed rows" % name, count["changed"], len(changed))
        check("%s, changed and not listed" % name, count["changed_unlisted"], len(silent))
        check("%s, causes" % name, count["causes"], dict(Counter(line["cause"] for line in mine)))
        by_column = Counter(line["column"] for line in mine if line["change"] == "changed")
        check("%s, cells" % name, count["cells"], dict(by_column))
        order = [(line["key"]) for line in mine]
        check("%s, keys in blocks" % name, len([1 for a, b in zip(order, order[1:]) if a != b]) + bool(order), len(set(order)))
    check("tables listed that are not in both", list(listed), [])
    for fault in faults:
        print("FAIL  " + fault)
    print("%d cells compared, %d lines, %d differ" % (cells_compared, lines, len(faults)))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Compares the published figures of a release with a second computation from the raw answers.

    python3 compare_figures.py [--json] RELEASE_DIR FORM LISTS ENTRIES

The second computation is `independent_figures.py`. Shares are compared as the nearest double to the exact fraction,
printed percentages as that fraction rounded half up. `--json` prints all that was compared. Standard library only.
"""

import argparse
import contextlib
import csv
import io
import json
import sys
import xml.etree.ElementTree as xml
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import independent_figures

# Below this a number of respondents is withheld.
SMALLEST = 5

# Questions whose base is those who answered, not all respondents.
BASE_ANSWERED = {"filiere_essentielle"}

# Name in the release -> name in the second computation.
KEY_FIGURES = {
    "structures_repondantes": "repondants",
    "en_reseau": "participent_a_un_reseau",
    "associations": "associations",
    "subventions_publiques": "subventions_publiques",
    "cooperations_non_modelisees": "cooperations_non_modelisees",
    "besoin_echange_pairs": "besoin_echange_pairs",
}

# Finding and element in the release -> finding in the second computation.
FINDINGS = {
    ("accompagnement_generaliste", "generaliste"): "generaliste",
    ("identification_par_les_pairs", "pairs"): "identification_par_les_pairs",
    ("tous_les_stades", "trois_stades"): "tous_les_stades",
    ("filiere_essentielle", "filiere_4_ou_5"): "filiere_essentielle",
}

# Table -> the question it shows, and the column of its options.
QUESTION_TABLES = {
    "figure_1_echelle_action": ("echelle_action", "modalite"),
    "figure_2_types_accompagnes": ("types_cooperation", "modalite"),
    "figure_3_modalites": ("modalites", "modalite"),
    "financement": ("financements", "financement"),
}

# Figures whose bars show a share; the others show numbers.
PERCENT_FIGURES = {"figure_3_modalites"}


class Comparison:
    """Every cell that was looked at, and those that differ."""

    def __init__(self) -> None:
        self.cells: List[Dict[str, Any]] = []

    def cell(self, place: str, found: Any, expected: Any) -> None:
        # `1` is not `True` here, and an integer is not a number with decimals.
        same = found == expected and type(found) is type(expected)
        self.cells.append({"cell": place, "release": found, "expected": expected, "same": same})

    def rows(self, place: str, found: List[Any], expected: List[Any]) -> None:
        """The same rows, each once."""
        self.cell(place + " rows", sorted(map(str, found)), sorted(map(str, expected)))

    def different(self) -> List[Dict[str, Any]]:
        return [cell for cell in self.cells if not cell["same"]]


def second_computation(form: str, lists: str, entries: str) -> Dict[str, Any]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        independent_figures.main(form, lists, entries)
    return json.loads(printed.getvalue())


def read(release: Path, table: str) -> List[Dict[str, str]]:
    with open(release / (table + ".csv"), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def integer(cell: str) -> Optional[int]:
    return int(cell) if cell else None


def number(cell: str) -> Optional[float]:
    return float(cell) if cell else None


def boolean(cell: str) -> Any:
    return {"true": True, "false": False, "": None}.get(cell, cell)


def share(n: int, base: Optional[int]) -> Optional[float]:
    return float(Fraction(n, base)) if base else None


def half_up(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


def is_small(n: int, base: Optional[int], complement: bool) -> bool:
    """Whether the number must be withheld; a key figure shows what is left to its base."""
    if 0 < n < SMALLEST or (base is not None and 0 < base < SMALLEST):
        return True
    return complement and base is not None and 0 < base - n < SMALLEST


def withheld(row: Dict[str, str], n: int, base: Optional[int], beside: bool, complement: bool) -> Tuple[bool, bool]:
    """Whether the row says that it is withheld, and whether it should: a small number must be, and one that is not
    small may be only `beside` a small one of the same question, which it would give away."""
    said, small = boolean(row["secret"]), is_small(n, base, complement)
    return said, small or (beside and said is True)


def compare_options(
    comparison: Comparison, place: str, rows: List[Dict[str, str]], option: str, truth: Dict[str, Any], base: int
) -> None:
    """The rows of one question."""
    comparison.rows(place, [row[option] for row in rows], list(truth["options"]))
    beside = any(is_small(n, base, True) for n in truth["options"].values())
    for row in rows:
        if row[option] not in truth["options"]:
            continue
        n, mentions = truth["options"][row[option]], truth["mentions"]
        here = "%s %s" % (place, row[option])
        said, should = withheld(row, n, base, beside, complement=True)
        comparison.cell(here + " secret", said, should)
        shares = {"part_repondants": share(n, base), "part_mentions": share(n, mentions)}
        for column, value in {"n": n, "mentions": mentions, **shares}.items():
            if column in row:
                # What the options add up to would give a small one away.
                kept = should or (beside and column in ("mentions", "part_mentions"))
                convert = number if column.startswith("part") else integer
                comparison.cell("%s %s" % (here, column), convert(row[column]), None if kept else value)
        comparison.cell(here + " base", integer(row["base"]), base)
        if "non_reponses" in row:
            comparison.cell(here + " non_reponses", integer(row["non_reponses"]), truth["non_reponse"])


def base_of(question: str, truth: Dict[str, Any]) -> int:
    return truth["answered"] if question in BASE_ANSWERED else truth["repondants"]


def compare_indicators(comparison: Comparison, release: Path, truth: Dict[str, Any]) -> None:
    rows = read(release, "indicateurs")
    questions = [name for name in truth if name not in ("chiffres_cles", "constats")]
    comparison.rows("indicateurs questions,", list({row["question"] for row in rows}), questions)
    for question in questions:
        own = [row for row in rows if row["question"] == question]
        base = base_of(question, truth[question])
        compare_options(comparison, "indicateurs " + question, own, "modalite", truth[question], base)


def compare_question_tables(comparison: Comparison, release: Path, truth: Dict[str, Any]) -> None:
    for table, (question, option) in QUESTION_TABLES.items():
        base = base_of(question, truth[question])
        rows = read(release, table)
        compare_options(comparison, table, rows, option, truth[question], base)
        if (release / (table + ".svg")).exists():
            compare_bars(comparison, release / (table + ".svg"), [n for n in truth[question]["options"].values()], base)


def bar_text(n: int, base: int, percent: bool) -> str:
    """What stands at a bar: `40`, or `64,5 %` with one decimal rounded half up."""
    if is_small(n, base, True):
        return "< %d" % SMALLEST
    if not percent:
        return str(n)
    tenths = half_up(Fraction(n * 1000, base))
    return "%d,%d %%" % divmod(tenths, 10)


def compare_bars(comparison: Comparison, path: Path, counts: List[int], base: int) -> None:
    """The text at every bar is in the drawing; other texts (labels, axis) may be there too."""
    texts = Counter(
        # No-break spaces, narrow or not, are spaces here.
        " ".join("".join(element.itertext()).replace("\u202f", " ").replace("\u00a0", " ").split())
        for element in xml.parse(path).iter("{http://www.w3.org/2000/svg}text")
    )
    for text, times in Counter(bar_text(n, base, path.stem in PERCENT_FIGURES) for n in counts).items():
        comparison.cell("%s: bars with %r" % (path.name, text), min(times, texts[text]), times)


def compare_key_figures(comparison: Comparison, release: Path, truth: Dict[str, Any]) -> None:
    rows = read(release, "chiffres_cles")
    comparison.rows("chiffres_cles", [row["indicateur"] for row in rows], list(KEY_FIGURES))
    comparison.rows("chiffres_cles of the second computation,", list(truth), list(KEY_FIGURES.values()))
    for row in rows:
        figure = truth.get(KEY_FIGURES.get(row["indicateur"], ""))
        if figure is None:
            continue
        n, base = figure["n"], figure["base"]
        here = "chiffres_cles %s " % row["indicateur"]
        said, should = withheld(row, n, base, False, complement=False)
        percent = half_up(Fraction(100 * n, base)) if base else None
        comparison.cell(here + "secret", said, should)
        comparison.cell(here + "n", integer(row["n"]), None if should else n)
        comparison.cell(here + "base", integer(row["base"]), base)
        comparison.cell(here + "part", number(row["part"]), None if should else share(n, base))
        comparison.cell(here + "pourcentage", integer(row["pourcentage"]), None if should else percent)
        comparison.cell(here + "pourcentage of the second computation", figure["pour_cent"], percent)


def expected_findings(truth: Dict[str, Any]) -> Dict[Tuple[str, str], Dict[str, Any]]:
    findings = {place: truth[name] for place, name in FINDINGS.items()}
    dimensions = truth["quatre_dimensions"]["dimensions"]
    findings.update({("quatre_dimensions", element): finding for element, finding in dimensions.items()})
    return findings


def compare_findings(comparison: Comparison, release: Path, truth: Dict[str, Any]) -> None:
    rows, findings = read(release, "constats"), expected_findings(truth)
    comparison.rows("constats", [(row["constat"], row["element"]) for row in rows], list(findings))
    for row in rows:
        finding = findings.get((row["constat"], row["element"]))
        if finding is None:
            continue
        n, base = finding["n"], finding["base"]
        here = "constats %s %s " % (row["constat"], row["element"])
        said, should = withheld(row, n, base, False, complement=False)
        comparison.cell(here + "secret", said, should)
        comparison.cell(here + "n", integer(row["n"]), None if should else n)
        comparison.cell(here + "base", integer(row["base"]), base)
        comparison.cell(here + "part", number(row["part"]), None if should else share(n, base))
        comparison.cell(here + "seuil", number(row["seuil"]), float(Fraction(finding["seuil"])))
        comparison.cell(here + "comparaison", row["comparaison"], ">" if finding["strictement"] else ">=")
        comparison.cell(here + "verifie", boolean(row["verifie"]), None if should else finding["holds"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a release with a second computation of its figures.")
    parser.add_argument("--json", action="store_true", help="print all that was compared")
    for name in ("release", "form", "lists", "entries"):
        parser.add_argument(name)
    given = parser.parse_args()
    truth = second_computation(given.form, given.lists, given.entries)
    comparison, release = Comparison(), Path(given.release)
    compare_key_figures(comparison, release, truth["chiffres_cles"])
    compare_indicators(comparison, release, truth)
    compare_question_tables(comparison, release, truth)
    compare_findings(comparison, release, truth["constats"])
    different = comparison.different()
    if given.json:
        print(json.dumps(comparison.cells, ensure_ascii=False, indent=1))
    talk = sys.stderr if given.json else sys.stdout
    for cell in different:
        print("FAIL  {cell}: {release!r}, expected {expected!r}".format(**cell), file=talk)
    print("%d cells compared, %d differ" % (len(comparison.cells), len(different)), file=talk)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()

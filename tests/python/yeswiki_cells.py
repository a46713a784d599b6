#!/usr/bin/env python3
"""A second reading of recorded YesWiki answers, cell by cell.

    python3 yeswiki_cells.py PAYLOAD_DIR

Prints {reading: {id of the entry: {field of the form: {"status": .., "value": ..}}}}, a reading being one document of
entries at or below the folder. It shares nothing with the engine; standard library only.

- `answered`: a text (entities decoded once; `raw` is added when that changes it), a list of keys where several may be
  ticked, [longitude, latitude] for a map; `labels` beside the keys of a closed question, null for a key that its list
  has lost;
- `empty`: "" or null; for a map also a coordinate that is 0, which the wiki itself takes for nothing;
- `masked`: "" where the wiki hides the field from this reader;
- `not_shown`: no such key in the entry;
- `unknown`: coordinates that are no numbers (`raw` says what is there).
"""

import html
import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

# Names under which a form, its entries and those that an administrator sees are recorded.
LAYOUTS = [
    ("form.json", "entries.json", "entries-admin.json"),
    ("api_forms_5.json", "api_forms_5_entries.json", "api_forms_5_entries_admin.json"),
    ("02-api_forms_5.json", "03-entries_anon.json", "05-entries_token-admin.json"),
]

# Types of field that hold several keys, joined by commas.
SEVERAL = {"checkbox", "checkboxfiche", "tags"}

Cell = Dict[str, Any]


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def labels_of(field: Dict[str, Any]) -> Optional[Dict[str, str]]:
    """Labels by key: the options are an object, or an array whose positions are the keys."""
    options = field.get("options")
    if options is None:
        return None
    pairs = enumerate(options) if isinstance(options, list) else options.items()
    return {str(key): html.unescape(label) for key, label in pairs}


def is_hidden(field: Dict[str, Any], admin: bool) -> bool:
    restricted = field.get("read_acl") not in (None, "", "*")
    behind_form = field.get("type") == "email" and field.get("showContactForm") is True
    return not admin and (restricted or behind_form)


def degrees(text: str) -> float:
    return float(text.strip().replace(",", "."))


def coordinates(field: Dict[str, Any], entry: Dict[str, Any]) -> List[Any]:
    """Longitude and latitude as they stand: beside the map's object, within it, or in an old key, latitude first."""
    names = [field.get("longitudeField") or "bf_longitude", field.get("latitudeField") or "bf_latitude"]
    inside = entry.get(field["id"])
    inside = inside if isinstance(inside, dict) else {}
    old = str(entry.get("carte_google") or "").split("|")
    old_values = {names[0]: old[1], names[1]: old[0]} if len(old) == 2 else {}
    places = [place for place in (entry, inside, old_values) if any(name in place for name in names)]
    if not places:
        return []
    return [next((place[name] for place in places if place.get(name) not in (None, "")), "") for name in names]


def map_cell(field: Dict[str, Any], entry: Dict[str, Any], admin: bool) -> Cell:
    found = coordinates(field, entry)
    if not found:
        return {"status": "not_shown", "value": None}
    if "" in found:
        return {"status": "masked" if is_hidden(field, admin) else "empty", "value": None}
    try:
        point = [degrees(str(text)) for text in found]
    except ValueError:
        return {"status": "unknown", "value": None, "raw": found}
    if 0.0 in point:
        return {"status": "empty", "value": None}
    return {"status": "answered", "value": point}


def answered(field: Dict[str, Any], text: str) -> Cell:
    labels = labels_of(field)
    if field["type"] in SEVERAL:
        keys = [key.strip() for key in text.split(",") if key.strip()]
        cell: Cell = {"status": "answered", "value": keys}
        if labels is not None:
            cell["labels"] = [labels.get(key) for key in keys]
        return cell
    if labels is not None:
        return {"status": "answered", "value": text, "labels": [labels.get(text)]}
    cell = {"status": "answered", "value": html.unescape(text)}
    if cell["value"] != text:
        cell["raw"] = text
    return cell


def cell_of(field: Dict[str, Any], entry: Dict[str, Any], admin: bool) -> Cell:
    if field["type"] == "map":
        return map_cell(field, entry, admin)
    if field["id"] not in entry:
        return {"status": "not_shown", "value": None}
    value = entry[field["id"]]
    if value == "":
        return {"status": "masked" if is_hidden(field, admin) else "empty", "value": None}
    if value is None:
        return {"status": "empty", "value": None}
    return answered(field, str(value))


def cells(form: Dict[str, Any], document: Any, admin: bool) -> Dict[str, Dict[str, Cell]]:
    """Members that are no entries, and entries of another form, are passed over. PHP writes no entries as an array."""
    number = str(form["bn_id_nature"])
    members = document.values() if isinstance(document, dict) else document
    entries = [entry for entry in members if isinstance(entry, dict) and "id_fiche" in entry]
    own = [entry for entry in entries if str(entry.get("id_typeannonce")) == number]
    fields = form["prepared"]
    return {entry["id_fiche"]: {field["id"]: cell_of(field, entry, admin) for field in fields} for entry in own}


def readings(root: Path) -> Iterator[Tuple[Path, Path, bool]]:
    """Form, entries, and whether an administrator asked."""
    folders = [root] + sorted(path for path in root.rglob("*") if path.is_dir())
    for folder in folders:
        for form, *documents in LAYOUTS:
            for document, admin in zip(documents, (False, True)):
                if (folder / form).is_file() and (folder / document).is_file():
                    yield folder / form, folder / document, admin


def main(folder: str) -> None:
    root = Path(folder)
    found = {
        document.relative_to(root).as_posix(): cells(load(form), load(document), admin)
        for form, document, admin in readings(root)
    }
    if not found:
        sys.exit("no form with entries at or below " + folder)
    print(json.dumps(found, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    main(sys.argv[1])

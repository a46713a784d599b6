#!/usr/bin/env python3
"""Searches everything that is published for what the answers hold and nobody may read.

    python3 leaks.py PUBLIC_DIR ENTRIES_JSON

Looked for, in names and bytes of all files below the folder and in every text of Parquet files: network addresses,
contacts, SIRET numbers and page names of all answers; name and site of those who did not agree to be named, unless
someone who agreed has the same. Says where it found which kind of value of which answer, never the value. Exit code 1
when anything was found.
"""

import html
import json
import re
import sys
import unicodedata
import urllib.parse
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Set

import pyarrow
import pyarrow.parquet

# Files in which bytes do not show what is inside; none is published today.
CLOSED = {".gz", ".zip", ".xlsx", ".zst", ".arrow", ".pdf"}

# The same text as files write it: as it is, in HTML, in JSON, in an address, in a quoted cell of a CSV.
SPELLINGS: Dict[str, Callable[[str], str]] = {
    "&": html.unescape,
    "\\": lambda text: re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text).replace("\\", ""),
    "%": urllib.parse.unquote,
    '""': lambda text: text.replace('""', '"'),
}


class Secret(NamedTuple):
    kind: str
    entry: int
    value: str


def plain(value: Any) -> str:
    return unicodedata.normalize("NFC", html.unescape(value).strip()) if isinstance(value, str) else ""


def agrees(entry: Dict[str, Any]) -> bool:
    return plain(entry.get("bf_consentement")) == "oui"


def values_of(entry: Dict[str, Any], number: int, named: Set[str]) -> Iterator[Secret]:
    """What must not be read of one answer; `named` are names and sites of those who agreed."""
    yield Secret("network address", number, plain(entry.get("user")))
    yield Secret("page name", number, plain(entry.get("id_fiche")))
    siret = plain(entry.get("bf_siret"))
    yield Secret("SIRET", number, siret)
    yield Secret("SIRET", number, "".join(siret.split()))
    for field, value in entry.items():
        if field.startswith("bf_contact"):
            yield Secret("contact (%s)" % field, number, plain(value))
    for kind, field in (("name without consent", "bf_titre"), ("site without consent", "bf_site_web")):
        value = plain(entry.get(field))
        if value not in named:
            yield Secret(kind, number, value)


def secrets_of(entries: List[Dict[str, Any]]) -> List[Secret]:
    """Each once; a value of one or two characters would be found anywhere and is nobody's."""
    named = {plain(entry.get(field)) for entry in entries if agrees(entry) for field in ("bf_titre", "bf_site_web")}
    found: Dict[str, Secret] = {}
    for number, entry in enumerate(entries, start=1):
        for secret in values_of(entry, number, named):
            if len(secret.value) > 2:
                found.setdefault(secret.value, secret)
    return list(found.values())


class Search:
    """Finds values as whole words, and not within the name of somebody who agreed to it."""

    def __init__(self, entries: List[Dict[str, Any]]) -> None:
        self.secrets = secrets_of(entries)
        names = {plain(entry.get("bf_titre")) for entry in entries if agrees(entry)}
        self.around = {s.value: [name for name in names if s.value in name] for s in self.secrets}

    def in_text(self, text: str) -> Iterator[Secret]:
        for spelling in self.spellings(text):
            for secret in self.secrets:
                if secret.value in spelling and self.stands_alone(secret.value, spelling):
                    yield secret

    def spellings(self, text: str) -> Iterator[str]:
        text = unicodedata.normalize("NFC", text)
        yield text
        for mark, decode in SPELLINGS.items():
            if mark in text:
                yield unicodedata.normalize("NFC", decode(text))

    def stands_alone(self, value: str, text: str) -> bool:
        for name in self.around[value]:
            text = text.replace(name, "")
        return re.search(r"(?<!\w)%s(?!\w)" % re.escape(value), text) is not None


def texts_of_array(array: pyarrow.Array) -> Iterator[str]:
    """Every text of a column, however deep; bytes are read as Latin-1, which takes any."""
    kind = array.type
    if pyarrow.types.is_dictionary(kind):
        yield from texts_of_array(array.dictionary_decode())
    elif pyarrow.types.is_struct(kind):
        for field in array.flatten():
            yield from texts_of_array(field)
    elif pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        yield from texts_of_array(array.flatten())
    elif pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        yield from (value for value in array.to_pylist() if value is not None)
    elif pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
        yield from (value.decode("latin-1") for value in array.to_pylist() if value is not None)
    elif pyarrow.types.is_integer(kind):
        yield from (str(value) for value in array.to_pylist() if value is not None)


def texts_of_parquet(path: Path) -> Iterator[str]:
    file = pyarrow.parquet.ParquetFile(path)
    for key, value in (file.metadata.metadata or {}).items():
        yield key.decode("utf-8", "replace") + "\n" + value.decode("utf-8", "replace")
    for batch in file.iter_batches():
        for column in batch.columns:
            # One text a column: a thousand short searches take longer than one long one.
            yield "\n".join(texts_of_array(column))


def texts_of_png(content: bytes) -> Iterator[str]:
    """Everything but the picture, which shows what the SVG beside it shows; its chunks may not be compressed texts."""
    at = 8
    while at < len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            raise ValueError("a picture with a compressed text")
        if kind != b"IDAT":
            yield content[at + 8 : at + 8 + length].decode("utf-8", "replace")
        at += 12 + length


def texts_of_file(path: Path) -> Iterator[str]:
    content = path.read_bytes()
    yield content.decode("utf-8", "replace")
    if b"\0" in content:
        yield content.decode("utf-16-le", "replace")
    if path.suffix == ".parquet":
        yield from texts_of_parquet(path)
    if path.suffix == ".png":
        yield from texts_of_png(content)


def main(folder: str, entries_path: str) -> None:
    with open(entries_path, encoding="utf-8") as file:
        entries = [entry for entry in json.load(file).values() if isinstance(entry, dict) and "id_fiche" in entry]
    search = Search(entries)
    root, leaks = Path(folder), 0
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    for path in paths:
        name = path.relative_to(root).as_posix()
        if path.suffix in CLOSED:
            print("FAIL  %s: cannot look into %s" % (name, path.suffix))
            leaks += 1
            continue
        found = {secret for text in [name, *texts_of_file(path)] for secret in search.in_text(text)}
        for secret in sorted(found, key=lambda secret: (secret.entry, secret.kind)):
            print("FAIL  %s: %s of answer %d" % (name, secret.kind, secret.entry))
        leaks += len(found)
    numbers = (len(search.secrets), len(entries), len(paths), leaks)
    print("%d values of %d answers looked for in %d files, %d found" % numbers)
    sys.exit(1 if leaks or not paths or not entries else 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Looks for texts in every file of a folder, whatever it is packed in, and in the files' names.

usage: erased.py FOLDER TEXT...

Prints each place where one is found, and last how many files were read. Exit code 1 when any is found.
"""
import gzip
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Iterator, Tuple

import pyarrow.parquet


def spellings(text: str) -> Iterator[bytes]:
    """The text as files may write it."""
    for written in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
        for encoding in ("utf-8", "utf-16-le", "windows-1252"):
            try:
                yield written.encode(encoding)
            except UnicodeEncodeError:
                pass


def contents(name: str, data: bytes) -> Iterator[Tuple[str, bytes]]:
    """The bytes themselves, and all that is packed in them."""
    yield name, data
    if data[:2] == b"\x1f\x8b":
        yield from contents(name + "!gzip", gzip.decompress(data))
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from contents(name + "!" + member, archive.read(member))
    elif data[:4] == b"PAR1":
        file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
        # Without threads: they may outlive the interpreter.
        rows = json.dumps(file.read(use_threads=False).to_pylist(), ensure_ascii=False, default=str)
        entries = b"\n".join(b"%s %s" % entry for entry in (file.metadata.metadata or {}).items())
        groups = "".join(
            str(file.metadata.row_group(group).column(column).statistics)
            for group in range(file.metadata.num_row_groups)
            for column in range(file.metadata.num_columns)
        )
        yield name + "!rows", rows.encode() + entries + groups.encode()


def main(folder: str, texts: Tuple[str, ...]) -> None:
    wanted = {spelling: text for text in texts for spelling in spellings(text)}
    files = found = 0
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        files += 1
        relative = path.relative_to(folder).as_posix()
        for place, data in [(relative, relative.encode()), *contents(relative, path.read_bytes())]:
            for text in sorted({text for spelling, text in wanted.items() if spelling in data}):
                print("FOUND  %s: %s" % (place, text))
                found += 1
    print("%d files, %d found" % (files, found))
    sys.exit(1 if found or not files else 0)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    main(sys.argv[1], tuple(sys.argv[2:]))

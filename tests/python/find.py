#!/usr/bin/env python3
"""Searches all files below a folder for texts: names, bytes, and every text of Parquet files, decompressed.

    python3 find.py FOLDER TEXT...

Says where each was found. Exit code 0 also then; the last line counts.
"""

import sys
from pathlib import Path

from leaks import SPELLINGS, texts_of_file


def main(folder: str, *wanted: str) -> None:
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    found = 0
    for path in paths:
        texts = [path.name, *texts_of_file(path)]
        texts += [decode(text) for text in texts for mark, decode in SPELLINGS.items() if mark in text]
        for text in wanted:
            if any(text in place for place in texts):
                print("%s: %s" % (path.relative_to(folder).as_posix(), text))
                found += 1
    print("%d texts looked for in %d files, %d found" % (len(wanted), len(paths), found))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    main(*sys.argv[1:])

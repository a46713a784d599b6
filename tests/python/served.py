"""Reads what `essaim serve` serves with the programs that people use, and compares it with the files on the disk.

    served.py http://127.0.0.1:8080/lieux/releases/2026-12-01/ FOLDER TABLE

DuckDB reads the Parquet file through HTTP ranges, GDAL the GeoJSON by its address (/vsicurl/), geopandas the GeoParquet and
pyarrow two of its columns through ranges that are asked for here. Prints one line for each; exit code 1 when one differs.
"""

import pathlib
import sys
import urllib.request
from typing import Any, Callable, List

import duckdb
import duckdb_extension_httpfs
import geopandas
import pyarrow
import pyarrow.parquet
import pyogrio

FAILED: List[str] = []


def attempt(name: str, read: Callable[[], Any], expected: Any) -> None:
    try:
        found = read()
    except Exception as error:  # the next client may still be fine
        FAILED.append(name)
        print("%s: %s" % (name, error))
        return
    if found != expected:
        FAILED.append(name)
    print("%s: %s" % (name, "the same" if found == expected else "%r, not %r" % (found, expected)))


def extension() -> str:
    folder = pathlib.Path(duckdb_extension_httpfs.__file__).parent
    (found,) = folder.rglob("httpfs.duckdb_extension")
    return str(found)


def duckdb_rows(address: str, remote: bool) -> Any:
    with duckdb.connect() as connection:
        connection.execute("SET enable_geoparquet_conversion = false")
        if remote:
            connection.execute("LOAD '%s'" % extension().replace("'", "''"))
        columns = connection.execute("DESCRIBE SELECT * FROM read_parquet('%s')" % address).fetchall()
        rows = connection.execute("SELECT * FROM read_parquet('%s')" % address).fetchall()
        return columns, rows


class Ranges:
    """A file that is read by HTTP ranges and nothing else; it never asks for the whole."""

    closed = False

    def __init__(self, address: str) -> None:
        self.address, self.at, self.asked = address, 0, 0
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD")) as answer:
            self.length = int(answer.headers["Content-Length"])
            assert answer.headers["Accept-Ranges"] == "bytes"

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.length)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readable(self) -> bool:
        return True

    seekable = readable

    def close(self) -> None:
        self.closed = True

    def read(self, size: int = -1) -> bytes:
        end = self.length if size < 0 else min(self.at + size, self.length)
        if end <= self.at:
            return b""
        request = urllib.request.Request(self.address, headers={"Range": "bytes=%d-%d" % (self.at, end - 1)})
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 206, answer.status
            assert answer.headers["Content-Range"] == "bytes %d-%d/%d" % (self.at, end - 1, self.length)
            bytes_read = answer.read()
        self.asked += 1
        self.at = end
        return bytes_read


def arrow_columns(address: str, names: List[str]) -> Any:
    source = Ranges(address)
    table = pyarrow.parquet.read_table(pyarrow.PythonFile(source, mode="r"), columns=names)
    assert source.asked > 0
    return table.to_pylist()


def geo_parquet(address: str) -> Any:
    """geopandas by itself reads addresses of the web with fsspec only."""
    return geopandas.read_parquet(pyarrow.PythonFile(Ranges(address), mode="r"))


def places(frame: Any) -> Any:
    return [None if shape is None else shape.wkt for shape in frame.geometry], len(frame.columns)


def main(base: str, folder: str, table: str) -> None:
    local = pathlib.Path(folder)
    parquet, geojson = table + ".parquet", table + ".geojson"
    expected = duckdb_rows(str(local / parquet), remote=False)
    attempt("DuckDB reads the Parquet file", lambda: duckdb_rows(base + parquet, remote=True), expected)
    names = pyarrow.parquet.read_schema(local / parquet).names[:2]
    expected = pyarrow.parquet.read_table(local / parquet, columns=names).to_pylist()
    attempt("pyarrow reads two columns by ranges", lambda: arrow_columns(base + parquet, names), expected)
    expected = places(geopandas.read_parquet(local / parquet))
    attempt("geopandas reads the GeoParquet file by ranges", lambda: places(geo_parquet(base + parquet)), expected)
    expected = places(pyogrio.read_dataframe(local / geojson))
    remote = "/vsicurl/" + base + geojson
    attempt("GDAL reads the GeoJSON by its address", lambda: places(pyogrio.read_dataframe(remote)), expected)
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip())
    main(*sys.argv[1:])

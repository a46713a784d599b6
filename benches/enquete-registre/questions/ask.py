"""Ten questions of a researcher to the released Parquet files: by `essaim query` and by DuckDB, start-up included.

    python ask.py --project DIR --essaim PROGRAM [--rounds 5]

DIR is the project that run.sh would make, after `essaim run`. Needs DuckDB's Python package for the other side. Prints the median
of each in seconds, and fails when the two give different rows.
"""

import argparse
import csv
import io
import pathlib
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
DUCKDB = """
import duckdb, pathlib, sys
connection = duckdb.connect()
for file in pathlib.Path(sys.argv[1]).glob("*.parquet"):
    connection.execute(f"CREATE VIEW {file.stem} AS FROM read_parquet('{file}')")
for row in connection.execute(sys.argv[2]).fetchall():
    print(*row, sep="\\t")
"""


def timed(command):
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - began, done.stdout


def cells(text):
    """A cell as far as both sides write it alike."""
    text = re.sub(r"^(\d{4}-\d\d-\d\d)[T ]", r"\1 ", text).removesuffix(" 00:00:00").replace("None", "")
    try:
        return round(float(text), 6)
    except ValueError:
        return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", type=pathlib.Path, required=True)
    parser.add_argument("--essaim", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    release = next((options.project / "data/public/enquete-registre/releases").iterdir())
    worst = 0.0
    for question in sorted(HERE.glob("*.sql")):
        sql = question.read_text().strip()
        ours, theirs = [], []
        for _ in range(options.rounds):
            seconds, answer = timed([options.essaim, "--project", options.project, "query", "--format", "csv", sql])
            ours.append(seconds)
            seconds, other = timed([sys.executable, "-c", DUCKDB, release, sql])
            theirs.append(seconds)
        own_rows = [[cells(cell) for cell in row] for row in list(csv.reader(io.StringIO(answer)))[1:]]
        other_rows = [[cells(cell) for cell in line.split("\t")] for line in other.splitlines()]
        alike = "alike" if own_rows == other_rows else "DIFFERENT"
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        worst = max(worst, ours / theirs)
        print(f"{question.stem:32} essaim {ours:6.3f}  duckdb {theirs:6.3f}  {ours / theirs:5.2f}  {alike}")
        if alike != "alike":
            print(own_rows[:3], other_rows[:3], sep="\n")
    print(f"slowest against DuckDB: {worst:.2f}")


main()

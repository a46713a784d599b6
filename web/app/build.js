// Builds dist/: every file has the digest of its bytes in its name, so that a page and its script always fit together.
//
//   app-*.js        what each page loads: small; brings the rest when it is needed
//   map-*.js        the map, with Leaflet and supercluster
//   console-*.js    the console
//   app-*.css       the style of both
//   outlines-*.json outlines of départements and régions, from seeds/cog/
//   licences-*.txt  licences of what the scripts hold

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { packed } from "./src/outlines.js";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const seeds = join(here, "..", "..", "seeds", "cog");

/** Writes a file under its digest, and gives its name back. */
function keep(stem, extension, contents) {
  const digest = createHash("sha256").update(contents).digest("hex").slice(0, 12);
  const name = `${stem}-${digest}.${extension}`;
  writeFileSync(join(dist, name), contents);
  console.log(`${name}: ${Buffer.byteLength(contents)} bytes`);
  return name;
}

/** Bundles one file; what other files are called is put in place of the names in capitals. */
async function bundled(entry, format, names) {
  const define = Object.fromEntries(Object.entries(names).map(([name, value]) => [name, JSON.stringify(value)]));
  const result = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format,
    target: ["es2022", "safari16"],
    charset: "utf8",
    legalComments: "none",
    // The icons that Leaflet's style names are not used.
    external: ["images/*"],
    banner: entry.endsWith(".js") && names.LICENCES ? { js: `/* Licences: ${names.LICENCES} */` } : {},
    define,
    write: false,
  });
  return result.outputFiles[0].text;
}

function licences() {
  const held = ["leaflet", "supercluster", "kdbush"];
  const texts = held.map((name) => {
    const folder = join(here, "node_modules", name);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return `${name} ${version}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
  });
  return texts.join("\n\n");
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const outline = (name) => JSON.parse(readFileSync(join(seeds, name), "utf8"));
const names = {
  LICENCES: keep("licences", "txt", licences()),
  OUTLINES: keep("outlines", "json", packed(outline("departements.geojson"), outline("regions.geojson"))),
  STYLE: keep("app", "css", await bundled("src/app.css", undefined, {})),
};
names.MAP = keep("map", "js", await bundled("src/map/index.js", "esm", names));
names.CONSOLE = keep("console", "js", await bundled("src/console/index.js", "esm", {}));
const { STYLE, MAP, CONSOLE } = names;
keep("app", "js", await bundled("src/loader.js", "iife", { STYLE, MAP, CONSOLE }));

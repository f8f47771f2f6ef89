// Makes what the program serves: `npm ci && npm run build`, in this folder or a copy of it.
//
// The same sources and the same lock file give the same bytes, and a test holds the committed ones against them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const { metafile } = await build({
  entryPoints: { "built/app": "source/main.js" },
  outdir: ".",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  metafile: true,
});

// The packages that are in it, each with the licence that it brings.
const folders = new Set();
for (const input of Object.keys(metafile.inputs).filter((name) => name.startsWith("node_modules/"))) {
  let folder = dirname(input);
  while (!existsSync(join(folder, "package.json")) || !JSON.parse(readFileSync(join(folder, "package.json"))).version) {
    folder = dirname(folder);
  }
  folders.add(folder);
}
const told = [...folders].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json")));
  return `${name} ${version}, ${license}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
});
const head = "What app.js has of others, with their licences.\n";
writeFileSync("built/LICENSES.txt", [head, ...told].join(`\n${"-".repeat(80)}\n\n`));

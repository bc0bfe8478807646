// Writes graphlens/static/: graphlens.js (one ES module), graphlens-engine.js (one classic worker), graphlens.css.
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "graphlens", "static");

const common = {
  absWorkingDir: here,
  bundle: true,
  charset: "ascii",
  legalComments: "none",
  logLevel: "warning",
  minify: true,
  target: "es2022",
};

const builds = [
  { entryPoints: ["src/main.ts"], format: "esm", outfile: join(out, "graphlens.js"), drop: ["debugger"] },
  { entryPoints: ["src/engine_worker.ts"], format: "iife", outfile: join(out, "graphlens-engine.js") },
  { entryPoints: ["css/graphlens.css"], outfile: join(out, "graphlens.css") },
];

await mkdir(out, { recursive: true });
if (process.argv.includes("--watch")) {
  for (const build of builds) {
    const context = await esbuild.context({ ...common, ...build });
    await context.watch();
  }
} else {
  await Promise.all(builds.map((build) => esbuild.build({ ...common, ...build })));
}

/**
 * Packs every published package, installs the tarballs with plain npm into an empty folder, and runs the README's example
 * there: what a stranger would meet. Also lets publint read each tarball's exports map.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environment, main, pnpm, root, run } from "./run.mjs";

await main(async () => {
  const folder = mkdtempSync(join(tmpdir(), "diffuspec-tarballs-"));
  try {
    const tarballs = await packAll(folder);
    const app = join(folder, "app");
    mkdirSync(app);
    const files = Object.fromEntries(tarballs.map(({ name, file }) => [name, `file:${file}`]));
    // The packages are not on the registry yet: overrides make their ranges resolve to the tarballs beside them.
    writeFileSync(
      join(app, "package.json"),
      JSON.stringify({
        private: true,
        type: "module",
        dependencies: files,
        overrides: Object.fromEntries(Object.keys(files).map((n) => [n, `$${n}`])),
      }),
    );
    await run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: app,
      quiet: true,
      env: environment,
    });
    writeFileSync(join(app, "example.js"), readmeExample());
    const output = await run(process.execPath, ["example.js"], { cwd: app, quiet: true });
    if (output.trim() === "") throw new Error("the README's example printed nothing");
    const commands = await run(process.execPath, [join(app, "node_modules/@diffuspec/cli/dist/main.js"), "--version"], {
      cwd: app,
      quiet: true,
    });
    process.stdout.write(
      `${tarballs.length} tarballs installed with npm; the README's example wrote ${output.length} characters; diffuspec ${commands.trim()}\n`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Every package that is not private, packed as it would be published. */
async function packAll(folder) {
  const packed = [];
  for (const group of ["packages", "apps"])
    for (const entry of readdirSync(join(root, group))) {
      const cwd = join(root, group, entry);
      let manifest;
      try {
        manifest = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8"));
      } catch {
        continue;
      }
      if (manifest.private) continue;
      const file = join(folder, `${manifest.name.replace("@", "").replace("/", "-")}.tgz`);
      await pnpm(["pack", "--out", file], { cwd, quiet: true });
      await pnpm(["exec", "publint", "run", file, "--strict"], { quiet: true });
      packed.push({ name: manifest.name, file });
    }
  return packed;
}

/** The first ```js block of the README. */
function readmeExample() {
  const block = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"));
  if (!block) throw new Error("README.md has no ```js block");
  return block[1];
}

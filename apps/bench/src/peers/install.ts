import { execFile } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import type { PeerPackage } from "./packages.ts";

/** Runs npm in a folder; rejects with what it printed. */
export type Npm = (args: readonly string[], folder: string) => Promise<void>;

const DONE = ".complete";
const MOST_MS = 20 * 60_000;

/**
 * Installs a package into a folder of its own beneath `root`, without running any install script; gives the path of its
 * module. What is there already is used.
 *
 * @throws ERR_UNSUPPORTED where npm cannot bring it
 */
export async function installPeer(
  wanted: PeerPackage,
  { root, log, npm = runNpm }: { root: string; log: (line: string) => void; npm?: Npm },
): Promise<string> {
  const { name, version, entry, dependencies, left, megabytes } = wanted;
  const folder = join(root, `${name.replace(/^@.*\//, "")}-${version}`);
  const module = join(folder, "node_modules", name, entry);
  if (existsSync(join(folder, DONE))) return module;
  log(`installing ${name} ${version} into ${folder}: about ${megabytes} MB, from npm's registry`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const empty of left) {
    mkdirSync(join(folder, "empty", empty), { recursive: true });
    writeFileSync(join(folder, "empty", empty, "package.json"), JSON.stringify({ name: empty, version: "0.0.0" }));
    writeFileSync(join(folder, "empty", empty, "index.js"), "module.exports = {};\n");
  }
  const overrides = Object.fromEntries(left.map((empty) => [empty, `file:./empty/${empty}`]));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies, overrides }, null, 2));
  const args = ["install", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--fetch-retries=5"];
  try {
    await npm(args, folder);
    if (!existsSync(module)) throw new Error(`npm ended well, but ${module} is not there`);
  } catch (cause) {
    throw new DiffuSpecError({
      code: "ERR_UNSUPPORTED",
      what: `${name} ${version} could not be installed`,
      why: (cause as Error).message,
      next: "Try again where npm reaches its registry, or run without --peers.",
      details: { package: name, version, folder },
      cause,
    });
  }
  writeFileSync(join(folder, DONE), "");
  return module;
}

const runNpm: Npm = (args, folder) =>
  new Promise((done, refuse) => {
    const options = { cwd: folder, timeout: MOST_MS, shell: process.platform === "win32" };
    execFile("npm", [...args], options, (error, _, stderr) => {
      if (error === null) return done();
      const said = stderr.split("\n").filter((line) => /^npm (error|ERR!)/.test(line));
      refuse(new Error(said[0]?.replace(/^npm (error|ERR!) */, "npm: ") ?? error.message));
    });
  });

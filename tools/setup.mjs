/** Installs and builds: what `npm test` and `npm run demo` do first. Quick where nothing changed. */
import { pathToFileURL } from "node:url";
import { main, pnpm, say } from "./run.mjs";

export async function setup() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new Error(`Node ${process.versions.node} is too old: DiffuSpec needs Node 20.19 or newer.`);
  say("installing ...");
  await pnpm(["install", "--frozen-lockfile"], { quiet: true });
  say("building ...");
  await pnpm(["exec", "turbo", "run", "build", "--output-logs=errors-only"], { quiet: true });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main(setup);

/** `npm test`: installs, builds, then format and lint, arrows, types, and every test. Arguments go to vitest. */
import { main, pnpm, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

await main(async () => {
  await setup();
  say("checking format, lint, arrows and types ...");
  await pnpm(["exec", "biome", "check", "."], { quiet: true });
  await run(process.execPath, ["tools/check-arrows.mjs"]);
  await pnpm(["exec", "turbo", "run", "typecheck", "--output-logs=errors-only"], { quiet: true });
  await pnpm(["exec", "vitest", "run", ...process.argv.slice(2)], { stdout: "inherit" });
});

/** `npm run demo`: installs, builds, and lets the embedded pair write. Arguments go to the demo itself (--help lists them). */
import { main, run } from "./run.mjs";
import { setup } from "./setup.mjs";

await main(async () => {
  await setup();
  await run(process.execPath, ["apps/bench/dist/demo.js", ...process.argv.slice(2)], { stdout: "inherit" });
});

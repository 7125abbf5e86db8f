import { isDiffuSpecError } from "@diffuspec/contracts";

/** Runs a program; what it throws becomes one line on standard error, and exit code 1. */
export async function program(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`error${isDiffuSpecError(error) ? ` [${error.code}]` : ""}: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

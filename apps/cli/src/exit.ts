import { isDiffuSpecError } from "@diffuspec/contracts";

/** What the command's end means; `diffuspec --help` says the same. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** A mistake on the command line that the argument parser cannot see. */
export class UsageError extends Error {}

/** One line for people, one number for scripts; the stack only where DIFFUSPEC_DEBUG=1 asks for it. */
export function explain(
  error: unknown,
  env: Readonly<Record<string, string | undefined>>,
): { line: string; code: number } {
  const debug = env.DIFFUSPEC_DEBUG === "1" && error instanceof Error ? `\n${error.stack}` : "";
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) return { line: `error [ERR_USAGE]: ${message}${debug}\n`, code: EXIT.usage };
  if (!isDiffuSpecError(error)) return { line: `error [ERR_UNEXPECTED]: ${message}${debug}\n`, code: EXIT.failed };
  if (error.code === "ERR_ABORTED") return { line: `interrupted${debug}\n`, code: EXIT.interrupted };
  const code = error.code === "ERR_OPTION" ? EXIT.usage : EXIT.failed;
  return { line: `error [${error.code}]: ${(error as unknown as Error).message}${debug}\n`, code };
}

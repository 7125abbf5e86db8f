import { readFileSync } from "node:fs";

/**
 * Runs the n-th `ts` block of a README as it stands and gives what it logs, one entry a call. Its imports are taken from
 * `modules` by package name; the block may not contain types.
 */
export async function runReadmeExample(
  readme: URL,
  modules: Readonly<Record<string, object>>,
  n = 0,
): Promise<{ readonly logged: unknown[][]; readonly code: string }> {
  const blocks = [...readFileSync(readme, "utf8").matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code as string);
  const code = blocks[n];
  if (code === undefined) throw new Error(`${readme.pathname} has ${blocks.length} examples, not ${n + 1}`);
  const body = code.replace(
    /^import \{([^}]*)\} from "([^"]+)";$/gm,
    (_, names: string, from: string) => `const {${names.replaceAll(" as ", ": ")}} = modules[${JSON.stringify(from)}];`,
  );
  const logged: unknown[][] = [];
  const AsyncFunction = (async () => {}).constructor as new (
    ...source: string[]
  ) => (modules: object, console: object) => Promise<void>;
  await new AsyncFunction("modules", "console", body)(modules, { log: (...values: unknown[]) => logged.push(values) });
  return { logged, code };
}

import type { Engine, EngineOptions, EngineSession } from "diffuspec/engine";
import { controllerName, type Mode, type Way } from "./proof-grid.ts";
import type { Log } from "./run-log.ts";
import { firstDifference } from "./summary.ts";

export interface ProofOptions {
  /** Writes what the others shall equal. */
  readonly plain: Engine;
  /** An engine with these options, disposed by the proof. */
  readonly open: (options: Partial<EngineOptions>) => Promise<Engine>;
  readonly ways: readonly Way[];
  readonly modes: readonly Mode[];
  readonly prompts: readonly Int32Array[];
  readonly maxTokens: number;
  /** Has what was proved before, and takes what is proved now. */
  readonly log: Pick<Log<ProofRecord>, "records" | "add">;
  /** The part of it that is this process's: every N-th, from the I-th on. Default: all. */
  readonly shard?: { readonly index: number; readonly of: number } | undefined;
  /** Nothing is begun later than this, in milliseconds since the process began. */
  readonly stopAtMs?: number | undefined;
  readonly progress?: (line: string) => void;
}

/** One way to draft and one to choose tokens, on every prompt. */
export interface ProofRecord {
  readonly drafter: string;
  readonly controller: string;
  readonly steps: number;
  readonly shape: string;
  readonly sampler: string;
  /** Completions compared with arExact's, ids and lengths. */
  readonly completions: number;
  /** Their ids. */
  readonly tokens: number;
  /** `at`: index of the first id that is not arExact's; the shorter length where one begins like the other. */
  readonly differing: readonly { readonly prompt: number; readonly at: number }[];
}

/** Everything that drafts, under every controller, writes what plain decoding (exact) writes. */
export async function prove(options: ProofOptions): Promise<void> {
  const { plain, open, ways, modes, prompts, maxTokens, log, progress = () => {} } = options;
  const { stopAtMs = Number.POSITIVE_INFINITY, shard = { index: 1, of: 1 } } = options;
  const known = new Set(log.records.map(keyOf));
  const wanted = new Map<Mode, Int32Array[]>();
  let turn = 0;
  let standing: { engine: Engine; steps: number; shape: Way["shape"] } | undefined;
  try {
    for (const way of ways)
      for (const mode of modes) {
        const { drafter, controller, steps, shape } = way;
        const cell = { drafter, controller: controllerName(controller), steps, shape, sampler: mode.name };
        if (turn++ % shard.of !== shard.index - 1 || known.has(keyOf(cell))) continue;
        if (performance.now() > stopAtMs) return;
        progress(`${log.records.length + 1}/${ways.length * modes.length} ${keyOf(cell)}`);
        if (!wanted.has(mode)) wanted.set(mode, await write(plain, { drafter: "none" }, mode));
        if (standing?.steps !== steps || standing.shape !== shape) {
          await standing?.engine.dispose();
          standing = { engine: await open({ steps, search: SEARCHES[shape] }), steps, shape };
        }
        const written = await write(standing.engine, { drafter, lengthController: controller }, mode);
        const differing = written.flatMap((ids, prompt) => {
          const at = firstDifference(wanted.get(mode)![prompt]!, ids);
          return at === -1 ? [] : [{ prompt, at }];
        });
        const tokens = written.reduce((sum, ids) => sum + ids.length, 0);
        log.add({ ...cell, completions: written.length, tokens, differing });
      }
  } finally {
    await standing?.engine.dispose();
  }

  async function write(engine: Engine, choice: Parameters<Engine["openSession"]>[0], { sampling }: Mode) {
    const session: EngineSession = await engine.openSession(choice);
    const out: Int32Array[] = [];
    for (const prompt of prompts) {
      const generation = session.generate(prompt, { ...sampling, maxTokens });
      let step = await generation.next();
      while (!step.done) step = await generation.next();
      out.push(step.value.tokens);
    }
    await session.dispose();
    return out;
  }
}

/** The pool as the pair ships it. */
const SEARCHES = { pool: {}, chain: { pooled: false }, tree: "tree" } as const;

const keyOf = (cell: Pick<ProofRecord, "drafter" | "controller" | "steps" | "shape" | "sampler">) =>
  `${cell.drafter}, ${cell.controller}, S = ${cell.steps}, ${cell.shape}, ${cell.sampler}`;

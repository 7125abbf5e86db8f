import type { Peer } from "./peers/peer.ts";
import type { MethodName } from "./spec-bench-names.ts";
import type { TurnRecord } from "./spec-bench-run.ts";
import { round } from "./summary.ts";

/** One answer of another program as it is kept. Times as {@link Peer.generate} takes them. */
export type PeerRun =
  | {
      readonly tokens: number;
      readonly prefillMs: number;
      readonly decodeMs: number;
      /** Its text is arExact's. */
      readonly same: boolean;
    }
  | { readonly failed: string };

/**
 * Another program on one task. It promises no equality, so ours stand beside it on the same prompts, whatever it wrote there.
 * Null where it never answered.
 */
export interface PeerRow {
  readonly name: string;
  readonly peer: true;
  readonly answers: number;
  readonly failed: number;
  /** Decoding alone: ids behind the first one, over the time they took. */
  readonly tokensPerSecond: number | null;
  readonly endToEndTokensPerSecond: number | null;
  /** Our tokens a second over its: plain AR (one row), DiffuSpec, DiffuSpec with prefill. */
  readonly arOverPeer: number | null;
  readonly diffuspecOverPeer: number | null;
  readonly diffuspecOverPeerEndToEnd: number | null;
  /** Share of its answers whose text is arExact's. */
  readonly agreement: number | null;
}

/** Asks; what is kept of the answer waits for arExact's text. A peer that fails is marked, and the run goes on. */
export async function askPeer(
  peer: Peer,
  prompt: Int32Array,
  maxTokens: number,
): Promise<(same: (ids: Int32Array) => boolean) => PeerRun> {
  try {
    const { ids, prefillMs, decodeMs } = await peer.generate(prompt, maxTokens);
    return (same) => ({ tokens: ids.length, prefillMs, decodeMs, same: same(ids) });
  } catch (error) {
    const failed = (error as Error).message;
    return () => ({ failed });
  }
}

export function peerRows(turns: readonly TurnRecord[]): PeerRow[] {
  const names = [...new Set(turns.flatMap(({ peers = {} }) => Object.keys(peers)))];
  return names.map((name) => {
    const asked = turns.flatMap((turn) => {
      const run = turn.peers?.[name];
      return run === undefined ? [] : [{ turn, run }];
    });
    const pairs = asked.flatMap(({ turn, run }) => ("failed" in run ? [] : [{ turn, run }]));
    const sum = (of: (pair: (typeof pairs)[number]) => number) => pairs.reduce((total, pair) => total + of(pair), 0);
    const [tokens, decodeMs, prefillMs] = [
      sum(({ run }) => run.tokens),
      sum(({ run }) => run.decodeMs),
      sum(({ run }) => run.prefillMs),
    ];
    const own = (method: MethodName, whole: boolean) =>
      rate(
        sum(({ turn }) => turn.runs[method]?.tokens ?? 0),
        sum(({ turn: { runs } }) => (runs[method]?.decodeMs ?? 0) + (whole ? (runs[method]?.prefillMs ?? 0) : 0)),
      );
    const [decoding, whole] = [rate(tokens - pairs.length, decodeMs), rate(tokens, decodeMs + prefillMs)];
    return {
      name,
      peer: true,
      answers: pairs.length,
      failed: asked.length - pairs.length,
      tokensPerSecond: rounded(decoding),
      endToEndTokensPerSecond: rounded(whole),
      arOverPeer: over(own("ar", false), decoding),
      diffuspecOverPeer: over(own("diffuspec", false), decoding),
      diffuspecOverPeerEndToEnd: over(own("diffuspec", true), whole),
      agreement: pairs.length > 0 ? round(sum(({ run }) => Number(run.same)) / pairs.length) : null,
    };
  });
}

const MEANS = [
  "tokensPerSecond",
  "endToEndTokensPerSecond",
  "arOverPeer",
  "diffuspecOverPeer",
  "diffuspecOverPeerEndToEnd",
  "agreement",
] as const;

/** Every peer over the tasks, each weighing the same. */
export function peerMeans(
  peers: readonly Pick<Peer, "name" | "version" | "threads">[],
  tasks: readonly { readonly methods: readonly (PeerRow | { readonly name: string })[] }[],
) {
  return peers.map(({ name, version, threads }) => {
    const rows = tasks.flatMap(({ methods }) =>
      methods.filter((row): row is PeerRow => "peer" in row && row.name === name),
    );
    const means = MEANS.map((key) => {
      const values = rows.map((row) => row[key]).filter((value) => value !== null);
      return [key, values.length > 0 ? round(values.reduce((a, b) => a + b, 0) / values.length) : null] as const;
    });
    return { name, version, threads, ...(Object.fromEntries(means) as Record<(typeof MEANS)[number], number | null>) };
  });
}

const rate = (tokens: number, ms: number) => (tokens > 0 && ms > 0 ? (1000 * tokens) / ms : null);
const rounded = (value: number | null) => (value === null ? null : round(value));
const over = (above: number | null, below: number | null) =>
  above === null || below === null ? null : round(above / below);

import type { Peer, PeerAnswer } from "./peers/peer.ts";
import { round } from "./summary.ts";

/** An answer of another program, or why there is none. */
export type PeerReply = PeerAnswer | { readonly failed: string };

/** A reply as it is kept. Times as {@link Peer.generate} takes them. */
export type PeerRun =
  | {
      readonly tokens: number;
      readonly prefillMs: number;
      readonly decodeMs: number;
      /** Its text is arExact's. */
      readonly same: boolean;
    }
  | { readonly failed: string };

/** Asks; a peer that fails is marked, and the run goes on. */
export async function askPeer(peer: Peer, prompt: Int32Array, maxTokens: number): Promise<PeerReply> {
  try {
    return await peer.generate(prompt, maxTokens);
  } catch (error) {
    return { failed: (error as Error).message };
  }
}

/** What is kept of the replies to one prompt, by peer. */
export function keepReplies(
  replies: ReadonlyMap<string, PeerReply>,
  exact: Int32Array,
  decode: (ids: Int32Array) => string,
): Record<string, PeerRun> {
  const text = decode(exact);
  const keep = (reply: PeerReply): PeerRun => {
    if ("failed" in reply) return reply;
    const { ids, prefillMs, decodeMs } = reply;
    return { tokens: ids.length, prefillMs, decodeMs, same: decode(ids) === text };
  };
  return Object.fromEntries([...replies].map(([name, reply]) => [name, keep(reply)]));
}

/** What one of our methods took. */
export interface Took {
  readonly tokens: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
}

/** A peer's run, and ours on the same prompt; it promises no equality, so ours stand beside it whatever it wrote. */
export interface Beside {
  readonly run: PeerRun;
  readonly ar: Took | undefined;
  readonly diffuspec: Took | undefined;
}

/** Null where it never answered, or ours did not run. */
export interface PeerFigures {
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

export function peerFigures(asked: readonly Beside[]): PeerFigures {
  const pairs = asked.flatMap(({ run, ...ours }) => ("failed" in run ? [] : [{ run, ...ours }]));
  const sum = (of: (pair: (typeof pairs)[number]) => number) => pairs.reduce((total, pair) => total + of(pair), 0);
  const tokens = sum(({ run }) => run.tokens);
  const [decodeMs, prefillMs] = [sum(({ run }) => run.decodeMs), sum(({ run }) => run.prefillMs)];
  const own = (name: "ar" | "diffuspec", whole: boolean) =>
    rate(
      sum((pair) => (pair[name] ? pair[name].tokens - Number(!whole) : 0)),
      sum((pair) => (pair[name]?.decodeMs ?? 0) + (whole ? (pair[name]?.prefillMs ?? 0) : 0)),
    );
  const [decoding, whole] = [rate(tokens - pairs.length, decodeMs), rate(tokens, decodeMs + prefillMs)];
  return {
    answers: pairs.length,
    failed: asked.length - pairs.length,
    tokensPerSecond: rounded(decoding),
    endToEndTokensPerSecond: rounded(whole),
    arOverPeer: over(own("ar", false), decoding),
    diffuspecOverPeer: over(own("diffuspec", false), decoding),
    diffuspecOverPeerEndToEnd: over(own("diffuspec", true), whole),
    agreement: pairs.length > 0 ? round(sum(({ run }) => Number(run.same)) / pairs.length) : null,
  };
}

/** What a result says of a peer beside its figures. */
export const describePeer = ({ name, version, dtype, threads }: Peer) => ({ name, version, dtype, threads });

const rate = (tokens: number, ms: number) => (tokens > 0 && ms > 0 ? (1000 * tokens) / ms : null);
const rounded = (value: number | null) => (value === null ? null : round(value));
const over = (above: number | null, below: number | null) =>
  above === null || below === null ? null : round(above / below);

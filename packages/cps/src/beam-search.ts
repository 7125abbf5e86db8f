import { chain, type PathSearch, type SearchRequest, type SearchResult } from "@diffuspec/contracts";
import { createSearchAtOnce, MOST_AT_ONCE } from "./at-once.ts";
import { drive } from "./drive.ts";
import { bad, checkNames, checkScoreOptions, type ScoreOptions } from "./options.ts";
import { readRequest } from "./request.ts";
import { createWorkspace, MAX_PATHS, type Workspace } from "./workspace.ts";

export interface BeamOptions<State = unknown> extends ScoreOptions<State> {
  /** B: most live paths. Infinity searches every path: exact, and only for small lattices. Default 3. */
  readonly beam?: number;
  /**
   * How a path that an EOS ended is compared with longer ones. "per-token" (default): by score per token.
   * "paper": by the plain sum of Eq. 8, which favours short paths because every further token lowers it.
   */
  readonly scoring?: "per-token" | "paper";
}

export const BEAM_DEFAULTS = {
  lambda: 0.5,
  beam: 3,
  scoring: "per-token",
  eosIds: [],
  cut: 0,
} as const satisfies Omit<BeamOptions, "scorer">;

/** The paper's constants with its plain sum. */
export const BEAM_PAPER = { ...BEAM_DEFAULTS, scoring: "paper" } as const satisfies Omit<BeamOptions, "scorer">;

/**
 * Causal-consistency path search (Eq. 8): the chain that maximises
 * S = sum over i of lambda * ln q(token i) + (1 - lambda) * ln p(token i | context, tokens before i),
 * found by beam search from left to right. `score` of the result is this plain sum, in nats, under either scoring.
 *
 * A path that takes an EOS is finished. Finished paths hold no place in the beam; the best of them meets the best path of
 * full length at the end, and of equals the longer wins. Among equal live paths the lower candidate rank goes first, then
 * the better parent.
 *
 * An asynchronous scorer is asked once a position, for all live paths. With one that answers at once `search` returns a plain
 * value, and a beam of up to 16 asks only about candidates that may be kept. A second search may start before an asynchronous
 * one has ended.
 *
 * @throws ERR_OPTION; `search` throws or rejects with ERR_CONTRACT for a malformed request, a scorer that gives no number,
 * and an unbounded beam that grows past 2^18 paths
 */
export function createBeamSearch<State>(options: BeamOptions<State>): PathSearch {
  const steps = beamSteps(options);
  const all = { ...BEAM_DEFAULTS, ...options };
  let atOnce = all.beam <= MOST_AT_ONCE ? createSearchAtOnce<State>(all) : undefined;
  return {
    name: "cps",
    search(request) {
      if (!atOnce) return drive(steps(request));
      const found = atOnce(readRequest(request), request.context);
      if ("tree" in found) return found;
      atOnce = undefined;
      return Promise.resolve(found).then(() => drive(steps(request)));
    },
  };
}

/** What the scorer said along the path that was found, for a search that goes on from there. */
export interface Trace<State> {
  /** True where the scorer answered with a promise. */
  asynchronous: boolean;
  /** Entry i belongs to the path's node at depth i, the root's first: its state and the terms of Eq. 8 of its candidates. */
  rows: { readonly state: State; readonly values: Float64Array }[];
}

/** The beam search as a generator that yields whatever may be a promise; it fills `trace` where one is given. */
export function beamSteps<State>(
  options: BeamOptions<State>,
): (request: SearchRequest, trace?: Trace<State>) => Generator<unknown, SearchResult, unknown> {
  const { scorer, lambda, beam, scoring, eosIds, cut } = { ...BEAM_DEFAULTS, ...options };
  checkNames(options, ["scorer", ...Object.keys(BEAM_DEFAULTS)]);
  checkScoreOptions({ scorer, lambda, eosIds, cut });
  if (beam !== Number.POSITIVE_INFINITY && !(Number.isInteger(beam) && beam >= 1 && beam <= MAX_PATHS))
    throw bad("beam", beam, `it is an integer in 1..${MAX_PATHS}, or Infinity`);
  if (scoring !== "paper" && scoring !== "per-token") throw bad("scoring", scoring, 'it is "per-token" or "paper"');
  const eos = new Set<number>(eosIds);
  const floor = Math.log(cut);
  const worth = (score: number, length: number) => (scoring === "paper" ? score : score / length);
  let idle: Workspace<State> | undefined;

  return function* steps(request, trace) {
    const { lattice, depth, root } = readRequest(request);
    const seen: Seen<State>[] = [];
    if (depth === 0) return { tree: chain(root, []), score: 0 };
    const work = idle ?? createWorkspace<State>();
    idle = undefined;
    try {
      work.begin(lambda < 1 ? ((yield scorer.begin(request.context)) as State) : (undefined as State));
      let best = -1;
      let finished = -1;
      for (let position = 0; position < depth; position++) {
        const last = position === depth - 1;
        const enough = position === 0 ? Number.NEGATIVE_INFINITY : floor;
        work.open(lattice, position, beam, last ? NONE : eos);
        yield* work.mixed.fill(scorer, work.states, lattice, position, lambda);
        if (trace) seen.push(remember(work));
        for (let cell = 0; cell < work.live.length * work.width; cell++) work.offer(cell);
        const ended = work.bestEnding;
        if (ended !== -1 && work.mixed.values[ended] >= enough) {
          const node = work.addNode(ended);
          if (
            finished === -1 ||
            worth(work.total[node], position + 1) >= worth(work.total[finished], work.length(finished))
          )
            finished = node;
        }
        work.advance(lambda < 1 && !last ? scorer : undefined);
        if (work.live.length === 0) {
          if (finished !== -1) best = finished;
          break;
        }
        if (!(work.total[work.live[0]] >= enough)) break;
        best = work.live[0];
      }
      if (
        finished !== -1 &&
        worth(work.total[finished], work.length(finished)) > worth(work.total[best], work.length(best))
      )
        best = finished;
      if (trace) {
        trace.asynchronous = work.mixed.asynchronous;
        trace.rows = rowsOf(seen, [-1, ...work.nodes(best)]);
      }
      return { tree: chain(root, work.path(best)), score: work.total[best] };
    } finally {
      idle = work;
    }
  };
}

/** The last position ends every path anyway. */
const NONE: ReadonlySet<number> = new Set();

/** One position as the beam saw it: its live paths, their states, and [live, width] terms of Eq. 8. */
interface Seen<State> {
  readonly live: readonly number[];
  readonly states: readonly State[];
  readonly values: Float64Array;
  readonly width: number;
}

const remember = <State>({ live, states, mixed, width }: Workspace<State>): Seen<State> => ({
  live: live.slice(),
  states: states.slice(),
  values: mixed.values.slice(0, live.length * width),
  width,
});

/** The rows of the path's own nodes. Its last node was asked about only where the search went on beyond it. */
function rowsOf<State>(seen: readonly Seen<State>[], path: readonly number[]): Trace<State>["rows"] {
  const rows: Trace<State>["rows"] = [];
  for (const [i, { live, states, values, width }] of seen.entries()) {
    const at = i < path.length ? live.indexOf(path[i]) : -1;
    if (at === -1) break;
    rows.push({ state: states[at], values: values.subarray(at * width, (at + 1) * width) });
  }
  return rows;
}

import { describePeer, type PeerFigures, peerFigures } from "./peer-runs.ts";
import type { Peer } from "./peers/peer.ts";
import type { TurnRecord } from "./spec-bench-run.ts";
import { round } from "./summary.ts";

/** Another program on one task. */
export interface PeerRow extends PeerFigures {
  readonly name: string;
  readonly peer: true;
}

export function peerRows(turns: readonly TurnRecord[]): PeerRow[] {
  const names = [...new Set(turns.flatMap(({ peers = {} }) => Object.keys(peers)))];
  return names.map((name) => {
    const asked = turns.flatMap(({ runs: { ar, diffuspec }, peers }) => {
      const run = peers?.[name];
      return run === undefined ? [] : [{ run, ar, diffuspec }];
    });
    return { name, peer: true, ...peerFigures(asked) };
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
  peers: readonly Peer[],
  tasks: readonly { readonly methods: readonly (PeerRow | { readonly name: string })[] }[],
) {
  return peers.map((peer) => {
    const rows = tasks.flatMap(({ methods }) =>
      methods.filter((row): row is PeerRow => "peer" in row && row.name === peer.name),
    );
    const means = MEANS.map((key) => {
      const values = rows.map((row) => row[key]).filter((value) => value !== null);
      return [key, values.length > 0 ? round(values.reduce((a, b) => a + b, 0) / values.length) : null] as const;
    });
    return { ...describePeer(peer), ...(Object.fromEntries(means) as Record<(typeof MEANS)[number], number | null>) };
  });
}

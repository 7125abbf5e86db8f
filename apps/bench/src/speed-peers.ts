import type { Trial } from "./interleave.ts";
import type { Run } from "./methods.ts";
import { describePeer, peerFigures } from "./peer-runs.ts";
import type { Peer } from "./peers/peer.ts";

/** Every peer over all trials. They write greedily, whatever the sampler of ours. */
export const summarisePeers = (trials: readonly Trial[], peers: readonly Peer[]) =>
  peers.map((peer) => ({
    ...describePeer(peer),
    ...peerFigures(
      trials.map(({ runs: { ar, diffuspec }, peers: theirs }) => ({
        run: theirs![peer.name]!,
        ar: took(ar),
        diffuspec: took(diffuspec),
      })),
    ),
  }));

const took = (run: Run | undefined) => run && { ...run, tokens: run.ids.length };

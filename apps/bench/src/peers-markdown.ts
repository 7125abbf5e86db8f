import { NONE, one, table, times } from "./markdown.ts";
import type { PeerFigures } from "./peer-runs.ts";
import type { MissingPeer } from "./peers/peer.ts";

interface PeerLine extends Omit<PeerFigures, "answers" | "failed"> {
  readonly name: string;
  readonly version: string;
  readonly threads: number;
}

/** Tokens a second by part of the run, before those of all. */
export interface PeerColumns {
  readonly header: readonly string[];
  cells(name: string): readonly string[];
  readonly all: string;
}

/** The other programs: tokens a second of decoding, what ours have over them, and how often they wrote the same. */
export function peerTables(
  { peers, missingPeers = [] }: { peers?: readonly PeerLine[]; missingPeers?: readonly MissingPeer[] },
  { header, cells, all }: PeerColumns = { header: [], cells: () => [], all: "all" },
): string[] {
  if (peers === undefined) return [];
  const share = (value: number | null) => (value === null ? NONE : `${Math.round(100 * value)} %`);
  return [
    table(
      ["tokens/s of others", ...header, all, "our ar over it", "DiffuSpec over it", "end to end", "same text"],
      peers.map((peer) => [
        `${peer.name} ${peer.version}, ${peer.threads} thr.`,
        ...cells(peer.name),
        one(peer.tokensPerSecond ?? Number.NaN),
        ...[peer.arOverPeer, peer.diffuspecOverPeer, peer.diffuspecOverPeerEndToEnd].map(times),
        share(peer.agreement),
      ]),
    ),
    "",
    ...missingPeers.map(({ name, why }) => `Not run: ${name} (${why}).`),
    ...(missingPeers.length > 0 ? [""] : []),
  ];
}

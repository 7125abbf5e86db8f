import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { exportTransformers } from "@diffuspec/model-import";
import { installPeer, type Npm } from "./install.ts";
import { PEER_NAMES, type PeerName } from "./names.ts";
import { peerPackage } from "./packages.ts";
import type { MissingPeer, Peer, PeerSettings } from "./peer.ts";
import { openRemotePeer } from "./remote.ts";

export interface PeersOptions {
  /** Default: all. */
  readonly names?: readonly PeerName[];
  /** Our model directory. */
  readonly directory: string;
  /** The GGUF file it was imported from: what node-llama-cpp runs, and what the export for transformers.js is made of. */
  readonly gguf?: string;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  /** A prompt to find the best number of threads with. */
  readonly trial: Int32Array;
  /** Default: one and one a core are tried. */
  readonly threads?: number;
  /** Where packages and exports are kept. Default: apps/bench/.peers. */
  readonly root?: string;
  /** What is installed and exported, a line each. Default: standard error. */
  readonly log?: (line: string) => void;
  readonly npm?: Npm;
  /** Starts a peer; tests have their own. */
  readonly open?: (peer: { name: PeerName; version: string; settings: PeerSettings }) => Promise<Peer>;
}

export interface Peers {
  readonly peers: readonly Peer[];
  readonly missing: readonly MissingPeer[];
  dispose(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("../.peers", import.meta.url));
const HOST = fileURLToPath(new URL("./peer-host.js", import.meta.url));
const NO_DRAFT_MODEL = "its DraftSequenceTokenPredictor wants a second, smaller model of the same vocabulary";

/**
 * Other programs with the same weights, each in its own process, installed on demand. One that cannot be had is listed with
 * the reason, and the others run.
 */
export async function createPeers(options: PeersOptions): Promise<Peers> {
  const { names = PEER_NAMES, root = ROOT, npm } = options;
  const log = options.log ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const open = options.open ?? ((peer) => openRemotePeer(HOST, peer));
  const cores = availableParallelism();
  const threads = options.threads === undefined ? [...new Set([1, cores])] : [options.threads];
  const { contextLength, eosIds, trial, gguf } = options;
  /** A package that cannot be had is not asked for again. */
  const modules = new Map<string, Promise<string>>();
  const peers: Peer[] = [];
  const missing: MissingPeer[] = [];
  for (const name of names) {
    try {
      const kind = name.startsWith("node-llama-cpp") ? "node-llama-cpp" : "transformers.js";
      if (kind === "node-llama-cpp" && gguf === undefined) {
        missing.push({ name, why: "it runs GGUF files, and none was named: --gguf FILE" });
        continue;
      }
      const wanted = peerPackage(kind);
      if (!modules.has(kind)) modules.set(kind, installPeer(wanted, { root, log, ...(npm && { npm }) }));
      const module = await modules.get(kind)!;
      const common = { kind, module, contextLength, eosIds, trial, threads } as const;
      const settings: PeerSettings =
        kind === "node-llama-cpp"
          ? { ...common, model: resolve(gguf!), lookup: name.endsWith("-lookup") }
          : { ...common, ...(await exported(name, options, root, log)) };
      log(`loading ${name} ${wanted.version}`);
      peers.push(await open({ name, version: wanted.version, settings }));
    } catch (error) {
      missing.push({ name, why: (error as Error).message });
    }
  }
  if (names.includes("node-llama-cpp-lookup")) missing.push({ name: "node-llama-cpp-draft", why: NO_DRAFT_MODEL });
  for (const { name, why } of missing) log(`without ${name}: ${why}`);
  return {
    peers,
    missing,
    dispose: async () => void (await Promise.all(peers.map((peer) => peer.dispose()))),
  };
}

/** Exports once for every source, dtype and context. */
async function exported(name: PeerName, options: PeersOptions, root: string, log: (line: string) => void) {
  const { directory, gguf, contextLength } = options;
  const dtype = name.slice("transformers.js-".length) as "fp32" | "q8" | "q4";
  const source = resolve(gguf ?? directory);
  const { size, mtimeMs } = statSync(gguf === undefined ? join(source, "manifest.json") : source);
  const key = JSON.stringify([1, source, size, mtimeMs, dtype, contextLength]);
  const out = join(root, "models", `${dtype}-${createHash("sha256").update(key).digest("hex").slice(0, 16)}`);
  if (!existsSync(out)) {
    log(`exporting ${basename(source)} as ${dtype} to ${out}`);
    await exportTransformers({ source, out, dtype, contextLength });
  }
  return { model: out, dtype };
}

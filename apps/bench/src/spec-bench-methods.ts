import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openModel } from "@diffuspec/model-files";
import { SAMPLER_DEFAULTS } from "@diffuspec/spec-loop";
import type { ChatMessage } from "@diffuspec/tokenizer";
import { pickFastestPlain, type TargetManifest } from "@diffuspec/verifier-ar";
import {
  createEngine,
  type DrafterName,
  type EngineOptions,
  type EngineSession,
  type LengthControllerOption,
} from "diffuspec/engine";
import { runWhole } from "./methods.ts";
import type { MissingPeer, Peer } from "./peers/peer.ts";
import type { MethodName } from "./spec-bench-names.ts";

/** One answer by one method. Times in milliseconds. */
export interface Answer {
  readonly ids: Int32Array;
  /** Verification rounds. */
  readonly rounds: number;
  readonly accepted: number;
  readonly drafted: number;
  /** Prompt ids that were not computed because the answer before had them; 0, or the end-to-end figures would flatter. */
  readonly reused: number;
  readonly prefillMs: number;
  readonly draftMs: number;
  readonly searchMs: number;
  readonly verifyMs: number;
  /** Everything after prefill. */
  readonly decodeMs: number;
}

export interface Contender {
  readonly name: MethodName;
  answer(prompt: Int32Array, maxTokens: number): Promise<Answer>;
}

/** A loaded model and everything that shall answer with it. */
export interface Field {
  readonly model: string;
  /** SHA-256 of the manifest, which holds those of all files. */
  readonly fingerprint: string;
  readonly contextLength: number;
  readonly eosIds: readonly number[];
  readonly threads: number;
  readonly precision: string;
  /** Precision of the graph that `ar` found fastest. */
  readonly arPrecision: string;
  /** `ar` and `arExact` among them. */
  readonly contenders: readonly Contender[];
  /** Methods that this model has no files for. */
  readonly missing: readonly { readonly name: MethodName; readonly why: string }[];
  /** Other programs, where the run was to have them. */
  readonly peers?: { readonly peers: readonly Peer[]; readonly missing: readonly MissingPeer[] };
  encode(messages: readonly ChatMessage[]): Int32Array;
  decode(ids: Int32Array): string;
  dispose(): Promise<void>;
}

export interface FieldOptions {
  readonly directory: string;
  /** Which of METHOD_NAMES are wanted. */
  readonly methods: readonly MethodName[];
  /** Tokens of a draft without length control. */
  readonly draftLength: number;
  readonly precision?: "int8" | "fp32";
  readonly threads?: number;
}

interface Setup {
  readonly drafter: DrafterName;
  readonly engine?: Partial<EngineOptions>;
  readonly fixed?: boolean;
}

/** Every position's most probable token: the search hears the drafter alone, and nothing ends a draft early. */
const WITHOUT_CPS: Partial<EngineOptions> = { search: { lambda: 1, beam: 1, cut: 0 } };

const SETUPS: Readonly<Record<Exclude<MethodName, "ar">, Setup>> = {
  arExact: { drafter: "none" },
  promptLookup: { drafter: "prompt-lookup" },
  ngram: { drafter: "ngram" },
  dlmArgmax: { drafter: "dlm-argmax" },
  everyRound: { drafter: "dlm" },
  diffuspec: { drafter: "hybrid" },
  diffuspecWithoutCps: { drafter: "hybrid", engine: WITHOUT_CPS },
  diffuspecWithoutLengthControl: { drafter: "hybrid", fixed: true },
  diffuspecWithoutBoth: { drafter: "hybrid", engine: WITHOUT_CPS, fixed: true },
};

/** Greedy, whatever defaults of its own the model has. */
const GREEDY = { ...SAMPLER_DEFAULTS, temperature: 0 };

/** Loads the model once, and once more for each other engine that the wanted methods need. */
export async function openField(options: FieldOptions): Promise<Field> {
  const { directory, methods, draftLength, threads, precision } = options;
  const common = {
    model: directory,
    drafter: "none",
    ...(threads !== undefined && { threads }),
    ...(precision !== undefined && { precision }),
  } as const;
  const engine = await createEngine(common);
  const engines = new Map([["{}", engine]]);
  const engineWith = async (own: Partial<EngineOptions> = {}) => {
    const key = JSON.stringify(own);
    const known = engines.get(key) ?? (await createEngine({ ...common, ...own }));
    engines.set(key, known);
    return known;
  };
  const files = await openModel(engine.info.directory);
  const { plain } = await pickFastestPlain({
    target: files.manifest.target as TargetManifest,
    resolve: (file) => files.path(file),
    threads: engine.info.threads,
  });

  const contenders: Contender[] = [];
  const missing: { name: MethodName; why: string }[] = [];
  for (const name of methods) {
    if (name === "ar") {
      contenders.push({ name, answer: (prompt, maxTokens) => plainAnswer(plain.decode(prompt, { maxTokens })) });
      continue;
    }
    const setup = SETUPS[name];
    if (!engine.info.drafters.includes(setup.drafter)) {
      missing.push({ name, why: `${engine.info.model} has no files for the drafter ${setup.drafter}` });
      continue;
    }
    const lengthController: LengthControllerOption | undefined = setup.fixed ? { fixed: draftLength } : undefined;
    const session = await (await engineWith(setup.engine)).openSession({
      drafter: setup.drafter,
      ...(lengthController && { lengthController }),
    });
    contenders.push({ name, answer: (prompt, maxTokens) => sessionAnswer(session, prompt, maxTokens) });
  }
  const manifest = readFileSync(join(engine.info.directory, "manifest.json"));
  return {
    model: engine.info.model,
    fingerprint: createHash("sha256").update(manifest).digest("hex"),
    contextLength: engine.info.contextLength,
    eosIds: (files.manifest.target as TargetManifest).eosIds,
    threads: engine.info.threads,
    precision: engine.info.precision,
    arPrecision: plain.precision,
    contenders,
    missing,
    encode: (messages) => engine.encode({ messages }),
    decode: (ids) => engine.tokenizer.decode(ids),
    async dispose() {
      await plain.dispose();
      for (const one of engines.values()) await one.dispose();
    },
  };
}

async function sessionAnswer(session: EngineSession, prompt: Int32Array, maxTokens: number): Promise<Answer> {
  const generate = (ids: Int32Array, most: number) => session.generate(ids, { ...GREEDY, maxTokens: most });
  const { tokens: ids, totals } = await runWhole(generate, prompt, maxTokens);
  const { rounds, accepted, drafted, reused, prefillMs, draftMs, searchMs, verifyMs, wallMs } = totals;
  const decodeMs = wallMs - prefillMs;
  return { ids, rounds, accepted, drafted, reused, prefillMs, draftMs, searchMs, verifyMs, decodeMs };
}

async function plainAnswer(
  decoding: Promise<{ ids: Int32Array; prefillMs: number; decodeMs: number }>,
): Promise<Answer> {
  const { ids, prefillMs, decodeMs } = await decoding;
  const none = { accepted: 0, drafted: 0, reused: 0, draftMs: 0, searchMs: 0 };
  return { ids, rounds: ids.length, prefillMs, decodeMs, verifyMs: decodeMs, ...none };
}

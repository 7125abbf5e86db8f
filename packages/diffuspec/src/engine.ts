/**
 * The engine without the worker: several drafters over one loaded target, in this thread.
 *
 * @module
 * @example
 * import { createEngine } from "diffuspec/engine";
 * const engine = await createEngine({ model: "tiny-js" });
 * const session = await engine.openSession({ drafter: "prompt-lookup" });
 * for await (const round of session.generate("function add(", { maxTokens: 64 })) console.log(round.text, round.accepted);
 * await engine.dispose();
 */
import { abortError, DiffuSpecError } from "@diffuspec/contracts";
import { type Generation, openSession, type Session } from "@diffuspec/spec-loop";
import { refuseUnknown, requireOneOf } from "./checks.ts";
import { createControllers } from "./controllers.ts";
import { createDrafters } from "./drafters.ts";
import type { Engine, EngineSession, SessionChoice } from "./engine-types.ts";
import type { ModelInfo } from "./events.ts";
import { checkPrompt, type GenerateOptions, type Prompt, toLoopOptions } from "./generate-options.ts";
import { type HubDrafterModel, openHubDrafter } from "./hub-drafter.ts";
import { inspect } from "./inspect.ts";
import { checkLengthController } from "./length-option.ts";
import { fittedNgram } from "./ngram-option.ts";
import { DRAFTER_NAMES, type EngineOptions, type LoadProgress, resolveEngineOptions } from "./options.ts";
import { openPair, type Pair, withPairDefaults } from "./pair.ts";
import { fittedSearch } from "./search-option.ts";
import { openTarget, type Target } from "./target.ts";
import { openText } from "./text.ts";

export type { CanvasPresetName, DrafterModelOption } from "./drafter-model.ts";
export type { Engine, EngineSession, SessionChoice } from "./engine-types.ts";
export type { ModelInfo, PartInfo } from "./events.ts";
export type { ChatPrompt, GenerateOptions, Prompt, TextPrompt } from "./generate-options.ts";
export type { Inspection, InspectOptions } from "./inspection.ts";
export type { LengthControllerOption } from "./length-option.ts";
export { DRAFTER_NAMES, type DrafterName, type EngineOptions } from "./options.ts";

/**
 * Opens a pair: hashes its files, loads the target, proves its rows exact. Drafters are loaded when first used.
 *
 * @throws as `load`, but for ERR_WORKER; ERR_ABORTED within the step at hand, once what was loaded is freed
 */
export async function createEngine(options: Partial<EngineOptions> = {}): Promise<Engine> {
  resolveEngineOptions(options); // what is misspelt is said before a registry is read
  const given = resolveEngineOptions(await withPairDefaults(options));
  const { model, registry, dtype, signal, onProgress } = given;
  const step = (phase: LoadProgress["phase"], done: 0 | 1) => {
    if (signal?.aborted) throw abortError(signal);
    onProgress?.({ phase, done, total: 1 });
  };
  step("files", 0);
  const pair = await openPair(model, { registry, dtype, signal });
  const settings = fitted(given, pair.manifest);
  step("files", 1);
  const { tokenizer, bosId, chat } = await openText(pair);
  const hubDrafter = await openHubDrafter(pair, settings, tokenizer.vocabulary);
  step("target", 0);
  const verifier = await openTarget(pair, settings, tokenizer.vocabulary);
  const drafters = createDrafters({ pair, tokenizer, verifier, hubDrafter, settings });
  const controllers = createControllers(pair.manifest.draft.lengthController);
  try {
    step("target", 1);
    drafters.require(settings.drafter);
    step("drafter", 0);
    await drafters.get(settings.drafter);
    step("drafter", 1);
  } catch (error) {
    await drafters.dispose();
    await verifier.dispose();
    throw error;
  }
  const info = describe({ pair, verifier, hubDrafter, settings, drafters: drafters.available });
  const sessions = new Set<Session>();
  let standing: Promise<EngineSession> | undefined;
  let closed = false;

  function encode(prompt: Prompt, { begin = true }: { readonly begin?: boolean } = {}): Int32Array {
    checkPrompt(prompt);
    if (prompt instanceof Int32Array) return prompt;
    if (typeof prompt === "object") return chat(prompt.messages);
    const ids = tokenizer.encode(prompt);
    return begin && bosId !== undefined ? Int32Array.of(bosId, ...ids) : ids;
  }

  async function open(choice: SessionChoice = {}): Promise<EngineSession> {
    if (closed) throw closedError();
    refuseUnknown("openSession", choice, ["drafter", "lengthController"]);
    const { drafter: name = settings.drafter, lengthController = settings.lengthController } = choice;
    requireOneOf("drafter", name, DRAFTER_NAMES);
    checkLengthController(lengthController);
    const drafter = await drafters.get(name);
    const seat = controllers.open(name, lengthController);
    const session = await openSession({
      verifier,
      controller: seat.controller,
      ...(drafter && { drafter }),
    });
    if (closed) {
      await session.dispose();
      throw closedError();
    }
    sessions.add(session);
    return {
      drafter: name,
      generate(prompt, generateOptions = {}) {
        const loopOptions = toLoopOptions(generateOptions, pair.manifest.generation);
        const generation = session.generate(encode(prompt), { ...loopOptions, text: tokenizer.stream() });
        return seat.during(generation, loopOptions.sampler ?? {});
      },
      async dispose() {
        sessions.delete(session);
        await session.dispose();
      },
    };
  }

  async function* generate(prompt: Prompt, generateOptions: GenerateOptions = {}): Generation {
    standing ??= open();
    return yield* (await standing).generate(prompt, generateOptions);
  }

  return {
    info,
    tokenizer,
    verifier,
    encode,
    openSession: open,
    generate,
    async inspect(inspectOptions) {
      if (closed) throw closedError();
      return inspect({ info, verifier }, inspectOptions);
    },
    async dispose() {
      if (closed) return;
      closed = true;
      await Promise.allSettled([...sessions].map((session) => session.dispose()));
      sessions.clear();
      await drafters.dispose();
      await verifier.dispose();
    },
  };
}

/** The caller's settings over what the model says suits it. */
function fitted(given: EngineOptions, { threads, draft }: Pair["manifest"]): EngineOptions {
  return {
    ...given,
    ...(given.threads === undefined && threads !== undefined && { threads }),
    lattice: { ...draft.lattice, ...given.lattice },
    search: fittedSearch(draft.search, given.search),
    ngram: fittedNgram(draft.ngram, given.ngram),
  };
}

function describe({
  pair: { files, manifest },
  verifier,
  hubDrafter,
  settings,
  drafters,
}: {
  pair: Pair;
  verifier: Target;
  hubDrafter: HubDrafterModel | undefined;
  settings: EngineOptions;
  drafters: ModelInfo["drafters"];
}): ModelInfo {
  const { target } = manifest;
  const part = ({ layers, width, parameters }: Record<string, unknown>) => ({
    layers: Number(layers),
    width: Number(width),
    parameters: typeof parameters === "number" ? parameters : undefined,
  });
  return {
    model: manifest.name,
    directory: files.dir,
    licence: manifest.licence,
    precision: target.kind === "own" ? settings.precision : (target.dtype ?? target.graph),
    threads: verifier.chain.threads,
    exactness: settings.exactness,
    rowExact: verifier.rowExactness?.rowExact,
    drafter: settings.drafter,
    drafters,
    vocabularySize: verifier.vocabularySize,
    contextLength: verifier.contextLength,
    target: part(target.kind === "own" ? { ...target } : { ...verifier.chain.shape }),
    draftModel: hubDrafter?.info ?? (manifest.drafter && part(manifest.drafter)),
    ngram: manifest.ngram,
    chat: manifest.chatTemplate !== undefined,
    generation: manifest.generation,
    files: files.list,
  };
}

function closedError(): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CLOSED",
    what: "The engine is closed",
    why: "dispose() was called",
    next: "Create it again.",
  });
}

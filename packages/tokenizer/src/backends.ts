import { DiffuSpecError } from "@diffuspec/contracts";
import { isObject, type JsonObject } from "./json.ts";

/** Ids of a text, nothing added. */
export type Encode = (text: string) => ArrayLike<number>;

/** Each backend is imported when it is first asked for, and never otherwise. */
export const BACKENDS = {
  async huggingface(json: JsonObject): Promise<Encode> {
    const { Tokenizer } = await import("@huggingface/tokenizers");
    const tokenizer = new Tokenizer(json, {});
    return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
  },

  async xenova(json: JsonObject): Promise<Encode> {
    const { PreTrainedTokenizer } = await optionalPeer(
      // The package's main entry loads an image library; its tokenizer module, which has no types of its own, does not.
      // @ts-expect-error
      () => import("@xenova/transformers/src/tokenizers.js") as Promise<XenovaTokenizers>,
    );
    const tokenizer = new PreTrainedTokenizer(withMergeStrings(json), {});
    // A byte without a piece comes as undefined here; the other backend and the reference leave it out.
    return (text) =>
      tokenizer.encode(text, null, { add_special_tokens: false }).filter((id): id is number => id !== undefined);
  },
};

interface XenovaTokenizers {
  PreTrainedTokenizer: new (
    json: JsonObject,
    config: JsonObject,
  ) => { encode(text: string, pair: null, options: { add_special_tokens: boolean }): (number | undefined)[] };
}

/** @throws ERR_UNSUPPORTED when the package is not installed */
export async function optionalPeer<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const code = isObject(cause) ? cause.code : undefined;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw cause;
    throw new DiffuSpecError({
      code: "ERR_UNSUPPORTED",
      what: 'The tokenizer backend "xenova" cannot be loaded',
      why: "@xenova/transformers, an optional peer, or something it needs is not installed",
      next: 'Run "npm install @xenova/transformers@2.17.2", or use backend "huggingface", which needs nothing more.',
      details: { package: "@xenova/transformers" },
      cause,
    });
  }
}

/** The 2.17 series reads merges only as "a b"; newer files have them as pairs. */
function withMergeStrings(json: JsonObject): JsonObject {
  const model = json.model as { merges: readonly (string | readonly string[])[] };
  const merges = model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")));
  return { ...json, model: { ...model, merges } };
}

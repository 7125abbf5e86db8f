import { DiffuSpecError } from "@diffuspec/contracts";
import { isObject, type JsonObject, parseError, parseObject } from "./json.ts";
import { spellOut } from "./pre-tokenizer.ts";

/** No vocabulary comes near; a larger id in a file is damage, and would make us allocate by it. */
const MAX_VOCABULARY = 2 ** 21;

export interface TokenizerFile {
  /** Piece of every id; undefined for an unused one. */
  readonly pieces: readonly (string | undefined)[];
  /** Ids of special tokens: they give no text. */
  readonly specials: ReadonlySet<number>;
  /** Ids whose piece is plain text, not spelt in byte characters. */
  readonly plain: ReadonlySet<number>;
  /** What a backend is given: no special tokens, no post-processor, pre-tokenizers that both read as Rust does. */
  readonly forBackend: JsonObject;
}

/**
 * Reads and checks a byte-level BPE tokenizer.json.
 *
 * @throws ERR_PARSE when it is damaged, ERR_UNSUPPORTED when it is of another kind
 */
export function readTokenizerFile(json: unknown): TokenizerFile {
  const file = parseObject(json, "tokenizer.json");
  const model = file.model;
  if (!isObject(model)) throw parseError('it has no "model"');
  if ((model.type ?? "BPE") !== "BPE" || !isByteLevel(file.decoder)) throw unsupported(model.type, file.decoder);
  if (!isObject(model.vocab)) throw parseError("model.vocab is not an object");

  const pieces: (string | undefined)[] = [];
  const put = (id: unknown, piece: unknown, where: string) => {
    if (typeof piece !== "string") throw parseError(`${where} has a piece that is no text`);
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= MAX_VOCABULARY)
      throw parseError(`${where} gives ${JSON.stringify(piece)} the id ${String(id)}`);
    const known = pieces[id as number];
    if (known !== undefined && known !== piece)
      throw parseError(`id ${id} is both ${JSON.stringify(known)} and ${JSON.stringify(piece)}`);
    pieces[id as number] = piece;
  };
  for (const [piece, id] of Object.entries(model.vocab)) put(id, piece, "model.vocab");
  checkMerges(model.merges, model.vocab);

  const added = file.added_tokens ?? [];
  if (!Array.isArray(added) || !added.every(isObject)) throw parseError("added_tokens is not a list of objects");
  for (const token of added) put(token.id, token.content, "added_tokens");
  const special = added.filter((token) => token.special === true);
  const specialPieces = new Set(special.map((token) => token.content));

  return {
    pieces: Array.from(pieces),
    specials: new Set(special.map((token) => token.id as number)),
    plain: new Set(added.map((token) => token.id as number)),
    forBackend: {
      ...file,
      truncation: null,
      padding: null,
      post_processor: null,
      added_tokens: added.filter((token) => token.special !== true),
      pre_tokenizer: spellOut(file.pre_tokenizer ?? null),
      model: {
        ...model,
        type: "BPE",
        vocab: Object.fromEntries(Object.entries(model.vocab).filter(([piece]) => !specialPieces.has(piece))),
      },
    },
  };
}

const isByteLevel = (decoder: unknown): boolean =>
  isObject(decoder) &&
  (decoder.type === "ByteLevel" ||
    (decoder.type === "Sequence" && Array.isArray(decoder.decoders) && decoder.decoders.every(isByteLevel)));

/** Merges come as "a b" (older files) or ["a", "b"]. */
function checkMerges(merges: unknown, vocab: JsonObject): void {
  if (!Array.isArray(merges)) throw parseError("model.merges is not a list");
  for (const [i, merge] of merges.entries()) {
    const pair: unknown[] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
    if (pair.length !== 2 || pair.some((piece) => typeof piece !== "string" || !Object.hasOwn(vocab, piece)))
      throw parseError(`merge ${i} is not a pair of pieces of the vocabulary`);
  }
}

function unsupported(model: unknown, decoder: unknown): DiffuSpecError {
  const kind = isObject(decoder) ? String(decoder.type) : "none";
  return new DiffuSpecError({
    code: "ERR_UNSUPPORTED",
    what: `A tokenizer of model ${String(model)} with decoder ${kind} is not supported`,
    why: "only byte-level BPE can be decoded byte for byte from its pieces",
    next: "Use a model with a ByteLevel decoder (GPT-2, Llama 3, Qwen, SmolLM), or implement Tokenizer of @diffuspec/contracts yourself.",
    details: { model, decoder: kind },
  });
}

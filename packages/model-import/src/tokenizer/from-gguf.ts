import { LLAMA3_PRE } from "../config/from-gguf.ts";
import type { MetadataValue } from "../source/gguf-header.ts";

/** Token types of GGUF that matter here: special, added by hand, and never used. */
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/**
 * tokenizer.json of a byte-level BPE vocabulary ("gpt2" in GGUF), built from its pieces, merges and the name of its
 * pre-tokenizer. Undefined for another kind, or a pre-tokenizer that is not known: a guess would split texts wrongly.
 */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, MetadataValue>): object | undefined {
  const get = (name: string) => metadata.get(`tokenizer.ggml.${name}`);
  const tokens = texts(get("tokens"));
  const merges = texts(get("merges"));
  const types = get("token_type");
  const pre = preTokenizerOf(get("pre"));
  if (get("model") !== "gpt2" || tokens === undefined || merges === undefined || pre === undefined) return undefined;
  const typeOf = (id: number) => (Array.isArray(types) ? types[id] : undefined);
  const ids = tokens.map((_, id) => id).filter((id) => typeOf(id) !== UNUSED);
  const vocab = Object.fromEntries(ids.map((id) => [tokens[id]!, id]));
  const byHand = ids.filter((id) => typeOf(id) === CONTROL || typeOf(id) === USER_DEFINED);
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: byHand.map((id) => ({
      id,
      content: tokens[id],
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: typeOf(id) === CONTROL,
    })),
    normalizer: pre.normalizer,
    pre_tokenizer: pre.preTokenizer,
    post_processor: null,
    decoder: byteLevel(true),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges,
      vocab,
      merges: merges.map(pair),
    },
  };
}

/** Pieces of a merge are parted by one space; none holds one, as byte-level BPE spells spaces otherwise. */
function pair(merge: string): string[] {
  const at = merge.indexOf(" ", 1);
  return [merge.slice(0, at), merge.slice(at + 1)];
}

interface Pre {
  readonly normalizer: object | null;
  readonly preTokenizer: object;
  readonly ignoreMerges: boolean;
}

const byteLevel = (useRegex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const split = (regex: string) => ({ type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false });
const sequence = (...pretokenizers: object[]) => ({ type: "Sequence", pretokenizers });

const LETTERS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const REST = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** What the names in tokenizer.ggml.pre stand for, as the models' own tokenizer.json has it. */
function preTokenizerOf(name: MetadataValue | undefined): Pre | undefined {
  const plain = { normalizer: null, ignoreMerges: false };
  switch (name) {
    case "smollm":
      return { ...plain, preTokenizer: sequence({ type: "Digits", individual_digits: true }, byteLevel(true)) };
    case "gpt-2":
      return { ...plain, preTokenizer: byteLevel(true) };
    case "qwen2":
      return {
        normalizer: { type: "NFC" },
        ignoreMerges: false,
        preTokenizer: sequence(split(`${CONTRACTIONS}|${LETTERS}|\\p{N}|${REST}`), byteLevel(false)),
      };
    default:
      if (!LLAMA3_PRE.includes(name)) return undefined;
      return {
        normalizer: null,
        ignoreMerges: true,
        preTokenizer: sequence(split(`${CONTRACTIONS}|${LETTERS}|\\p{N}{1,3}|${REST}`), byteLevel(false)),
      };
  }
}

const texts = (value: MetadataValue | undefined): readonly string[] | undefined =>
  Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;

import { bosPiece, DiffuSpecError, type Tokenizer } from "@diffuspec/contracts";
import { BACKENDS } from "./backends.ts";
import { byteTable } from "./bytes.ts";
import { isObject, parseObject } from "./json.ts";
import { decodeAll, openStream } from "./text.ts";
import { readTokenizerFile } from "./tokenizer-json.ts";
import { createVocabulary } from "./vocabulary.ts";

export interface TokenizerOptions {
  /** tokenizer.json: its text, or parsed. Must be byte-level BPE. */
  readonly json: string | object;
  /**
   * tokenizer_config.json. Read are eos_token and what a text begins with: the special token at the start of the
   * post-processor's template in tokenizer.json, else bos_token where add_bos_token is true.
   */
  readonly config?: string | object;
  /** Which library splits and merges; both give equal ids. "xenova" needs the optional peer @xenova/transformers. */
  readonly backend?: "huggingface" | "xenova";
  /** Pieces that end a text; [] for none. Required where config does not name one. */
  readonly eosTokens?: readonly string[];
  /** The piece a text begins with, where the model was trained so. */
  readonly bosToken?: string;
}

export const TOKENIZER_DEFAULTS = { backend: "huggingface" } as const;

/**
 * A tokenizer whose decode() is the exact inverse of encode() on every well-formed string, as far as the file's own
 * normalizer and prefix space allow. Lone surrogates count as U+FFFD; a
 * byte that the vocabulary has no piece for is dropped.
 *
 * @throws ERR_PARSE, ERR_UNSUPPORTED (not byte-level BPE, or the backend is not installed), ERR_OPTION
 */
export async function createTokenizer(options: TokenizerOptions): Promise<Tokenizer> {
  const backend = checkOptions(options);
  const file = readTokenizerFile(options.json);
  const { eosTokens, bosToken } = endsAndBeginning(options);
  const idOf = (piece: string) => {
    const id = file.pieces.indexOf(piece);
    if (id === -1) throw optionError(`the token ${JSON.stringify(piece)} is not in the vocabulary`);
    return id;
  };
  const eosIds = eosTokens.map(idOf);
  const bosId = bosToken === undefined ? {} : { bosId: idOf(bosToken) };
  const table = byteTable(file);
  const [encode, vocabulary] = await Promise.all([BACKENDS[backend](file.forBackend), createVocabulary(file.pieces)]);

  return {
    vocabulary,
    eosIds,
    ...bosId,
    encode: (text) => (text === "" ? new Int32Array(0) : Int32Array.from(encode(wellFormed(text)))),
    decode: (ids) => decodeAll(table, ids),
    stream: () => openStream(table),
  };
}

/** Lone surrogates have no UTF-8; what any encoder would write for them is U+FFFD. */
const wellFormed = (text: string) => text.replace(/\p{Cs}/gu, "\ufffd");

function checkOptions(options: TokenizerOptions): keyof typeof BACKENDS {
  const known = ["json", "config", "backend", "eosTokens", "bosToken"];
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw optionError(`there is no option ${JSON.stringify(unknown)}`);
  const backend = options.backend ?? TOKENIZER_DEFAULTS.backend;
  if (!Object.hasOwn(BACKENDS, backend)) throw optionError(`there is no backend ${JSON.stringify(backend)}`);
  return backend;
}

function endsAndBeginning(options: TokenizerOptions): { eosTokens: readonly string[]; bosToken: string | undefined } {
  const config = options.config === undefined ? {} : parseObject(options.config, "tokenizer_config.json");
  const { eos_token: eos } = config;
  const fromConfig = isObject(eos) ? eos.content : eos;
  const eosTokens = options.eosTokens ?? (typeof fromConfig === "string" ? [fromConfig] : undefined);
  if (!Array.isArray(eosTokens))
    throw optionError("eosTokens is missing and config names no eos_token; without one a text would never end");
  const fromFiles = () =>
    options.config === undefined ? undefined : bosPiece(parseObject(options.json, "tokenizer.json"), config);
  return { eosTokens, bosToken: options.bosToken ?? fromFiles() };
}

const optionError = (why: string): DiffuSpecError =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: "The tokenizer cannot be made",
    why,
    next: 'Pass { json, eosTokens } and, if wanted, { config, backend: "huggingface" | "xenova", bosToken }.',
  });

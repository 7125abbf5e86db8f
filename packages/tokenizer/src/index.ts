/**
 * Byte-exact tokenizers over tokenizer.json.
 *
 * @module
 * @example
 * import { createTokenizer } from "@diffuspec/tokenizer";
 * const tokenizer = await createTokenizer({ json, eosTokens: ["<|end|>"] });
 * tokenizer.decode(tokenizer.encode("  x = 1\r\n")); // the same text, byte for byte
 */
export { createTokenizer, TOKENIZER_DEFAULTS, type TokenizerOptions } from "./create-tokenizer.ts";
export { createVocabulary, readVocabulary } from "./vocabulary.ts";

/**
 * Byte-exact tokenizers over tokenizer.json, and chat templates over them.
 *
 * @module
 * @example
 * import { createTokenizer } from "@diffuspec/tokenizer";
 * const tokenizer = await createTokenizer({ json, eosTokens: ["<|end|>"] });
 * tokenizer.decode(tokenizer.encode("  x = 1\r\n")); // the same text, byte for byte
 */
export { type ChatEncoder, type ChatEncoderOptions, createChatEncoder } from "./chat-encoder.ts";
export {
  type ChatMessage,
  type ChatTemplate,
  type ChatTemplateOptions,
  checkMessages,
  createChatTemplate,
  type RenderOptions,
} from "./chat-template.ts";
export { createTokenizer, TOKENIZER_DEFAULTS, type TokenizerOptions } from "./create-tokenizer.ts";
export { createVocabulary, readVocabulary } from "./vocabulary.ts";

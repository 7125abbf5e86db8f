import { DiffuSpecError, type Tokenizer } from "@diffuspec/contracts";
import { type ChatMessage, createChatEncoder, createChatTemplate, createTokenizer } from "@diffuspec/tokenizer";
import { isObject } from "./checks.ts";
import type { Pair } from "./pair.ts";

/** What a model does with text. */
export interface ModelText {
  readonly tokenizer: Tokenizer;
  /** What a text begins with. */
  readonly bosId: number | undefined;
  /** Ids of a conversation and of the beginning of its answer. @throws ERR_PROMPT, ERR_UNSUPPORTED without a template */
  chat(messages: readonly ChatMessage[]): Int32Array;
}

/** @throws ERR_PARSE, ERR_UNSUPPORTED, ERR_VOCABULARY_MISMATCH, ERR_MODEL_FILE_MISSING, ERR_MODEL_FILE_ALTERED */
export async function openText({ files, manifest }: Pair): Promise<ModelText> {
  const { tokenizerConfig: config, eosIds, chatTemplate } = manifest;
  const json = (await files.readJson(manifest.tokenizer)) as TokenizerJson;
  const pieceOf = pieces(json, manifest.tokenizer);
  const eosTokens = eosIds.map(pieceOf);
  const bosToken = manifest.bosId === undefined ? undefined : pieceOf(manifest.bosId);
  const tokenizer = await createTokenizer({
    json,
    eosTokens,
    ...(bosToken !== undefined && { bosToken }),
    ...(config && { config }),
  });
  const { bosId } = tokenizer;
  if (chatTemplate === undefined) return { tokenizer, bosId, chat: () => refuse(manifest.name) };
  const begin = named(config?.bos_token) ?? bosToken;
  const end = named(config?.eos_token) ?? eosTokens[0];
  const template = createChatTemplate(chatTemplate, {
    ...(begin !== undefined && { bosToken: begin }),
    ...(end !== undefined && { eosToken: end }),
  });
  const encoder = createChatEncoder({ template, tokenizer, json });
  return { tokenizer, bosId, chat: (messages) => encoder.encode(messages) };
}

/** A token of tokenizer_config.json: its piece, or an object around it. */
function named(token: unknown): string | undefined {
  const piece = isObject(token) ? token.content : token;
  return typeof piece === "string" ? piece : undefined;
}

interface TokenizerJson {
  readonly model?: { readonly vocab?: Readonly<Record<string, number>> };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
}

/** The model names the ends of a text by id, the tokenizer wants their pieces. */
function pieces(json: TokenizerJson, file: string): (id: number) => string {
  const known = new Map(Object.entries(json.model?.vocab ?? {}).map(([piece, id]) => [id, piece]));
  for (const { id, content } of json.added_tokens ?? []) known.set(id, content);
  return (id) => {
    const piece = known.get(id);
    if (piece !== undefined) return piece;
    throw new DiffuSpecError({
      code: "ERR_VOCABULARY_MISMATCH",
      what: `The target begins or ends a text with id ${id}`,
      why: `${file} has no piece of that id`,
      next: "Use the tokenizer that belongs to the model.",
      details: { id },
    });
  };
}

function refuse(model: string): never {
  throw new DiffuSpecError({
    code: "ERR_UNSUPPORTED",
    what: "The prompt is a conversation",
    why: `${model} has no chat template`,
    next: "Pass text or ids, or load a model with a chat template.",
    details: { model },
  });
}

import { DiffuSpecError, type Tokenizer } from "@diffuspec/contracts";
import { type ChatMessage, createChatEncoder, createChatTemplate, createTokenizer } from "@diffuspec/tokenizer";
import type { Pair } from "./pair.ts";

/** What a model does with text. */
export interface ModelText {
  readonly tokenizer: Tokenizer;
  /** Ids of a conversation and of the beginning of its answer. @throws ERR_PROMPT, ERR_UNSUPPORTED without a template */
  chat(messages: readonly ChatMessage[]): Int32Array;
}

/** @throws ERR_PARSE, ERR_UNSUPPORTED, ERR_VOCABULARY_MISMATCH, ERR_MODEL_FILE_MISSING, ERR_MODEL_FILE_ALTERED */
export async function openText({ files, manifest }: Pair): Promise<ModelText> {
  const json = (await files.readJson(manifest.tokenizer)) as TokenizerJson;
  const pieceOf = pieces(json, manifest);
  const { eosIds, bosId } = manifest.target;
  const eosTokens = eosIds.map(pieceOf);
  const tokenizer = await createTokenizer({ json, eosTokens });
  if (manifest.chatTemplate === undefined) return { tokenizer, chat: () => refuse(manifest.name) };
  const template = createChatTemplate(await files.readText(manifest.chatTemplate), {
    ...(eosTokens[0] !== undefined && { eosToken: eosTokens[0] }),
    ...(bosId !== undefined && { bosToken: pieceOf(bosId) }),
  });
  const encoder = createChatEncoder({ template, tokenizer, json });
  return { tokenizer, chat: (messages) => encoder.encode(messages) };
}

interface TokenizerJson {
  readonly model?: { readonly vocab?: Readonly<Record<string, number>> };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
}

/** The manifest names the ends of a text by id, the tokenizer wants their pieces. */
function pieces(json: TokenizerJson, manifest: Pair["manifest"]): (id: number) => string {
  const known = new Map(Object.entries(json.model?.vocab ?? {}).map(([piece, id]) => [id, piece]));
  for (const { id, content } of json.added_tokens ?? []) known.set(id, content);
  return (id) => {
    const piece = known.get(id);
    if (piece !== undefined) return piece;
    throw new DiffuSpecError({
      code: "ERR_VOCABULARY_MISMATCH",
      what: `The target begins or ends a text with id ${id}`,
      why: `${manifest.tokenizer} has no piece of that id`,
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
    next: "Pass text or ids, or load a model whose manifest names a chatTemplate.",
    details: { model },
  });
}

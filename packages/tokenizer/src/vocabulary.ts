import type { Vocabulary } from "@diffuspec/contracts";
import { readTokenizerFile } from "./tokenizer-json.ts";

/**
 * A vocabulary from its pieces, index = id. The fingerprint is the SHA-256 of the UTF-8 bytes of the pieces written as a
 * JSON array without spaces, null for an unused id.
 *
 * @example
 * (await createVocabulary(["a", undefined, "b"])).fingerprint; // sha256 of ["a",null,"b"]
 */
export async function createVocabulary(pieces: readonly (string | undefined)[]): Promise<Vocabulary> {
  const own = Array.from(pieces);
  const canonical = JSON.stringify(own.map((piece) => piece ?? null));
  const digest = await globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonical));
  return {
    size: own.length,
    fingerprint: Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    piece: (id) => own[id],
  };
}

/**
 * The vocabulary of a tokenizer.json alone, without the means to encode: what a comparison of two models needs.
 *
 * @throws ERR_PARSE, ERR_UNSUPPORTED (not byte-level BPE)
 */
export function readVocabulary(json: string | object): Promise<Vocabulary> {
  return createVocabulary(readTokenizerFile(json).pieces);
}

import type { Tokenizer, Vocabulary } from "@diffuspec/contracts";
import { broken } from "./errors.ts";
import { scramble } from "./fake-model.ts";

/** A vocabulary of these pieces. The fingerprint is a hash good enough for tests, not a SHA-256. */
export function createFakeVocabulary(pieces: readonly string[]): Vocabulary {
  let state = 0;
  for (const piece of pieces) for (const char of `${piece}\0`) state = scramble(state * 31 + char.codePointAt(0)!);
  return { size: pieces.length, fingerprint: state.toString(16).padStart(8, "0").repeat(8), piece: (id) => pieces[id] };
}

/** A tokenizer whose id i is the text pieces[i]; the longest piece that fits is taken. Special ids give no text. */
export function createFakeTokenizer(pieces: readonly string[], eosIds: readonly number[] = []): Tokenizer {
  const decode = (ids: ArrayLike<number>) =>
    Array.from(ids, (id) => (eosIds.includes(id) ? "" : (pieces[id] ?? ""))).join("");
  return {
    vocabulary: createFakeVocabulary(pieces),
    eosIds,
    encode(text) {
      const ids: number[] = [];
      for (let at = 0; at < text.length; ) {
        let best = -1;
        for (let id = 0; id < pieces.length; id++) {
          const piece = pieces[id]!;
          const fits = piece !== "" && !eosIds.includes(id) && text.startsWith(piece, at);
          if (fits && (best === -1 || piece.length > pieces[best]!.length)) best = id;
        }
        if (best === -1) throw broken(`no piece fits at offset ${at} of the text`);
        ids.push(best);
        at += pieces[best]!.length;
      }
      return Int32Array.from(ids);
    },
    decode,
    stream: () => ({ push: decode, end: () => "" }),
  };
}

/** Ids 0..255 are the bytes of UTF-8, 256 ends a text. Its stream holds unfinished sequences back. */
export function createByteTokenizer(): Tokenizer {
  const eos = 256;
  const pieces = Array.from({ length: 257 }, (_, id) =>
    id === eos ? "<eos>" : `<0x${id.toString(16).padStart(2, "0")}>`,
  );
  const bytes = (ids: ArrayLike<number>) => Uint8Array.from(Array.from(ids).filter((id) => id < eos));
  return {
    vocabulary: createFakeVocabulary(pieces),
    eosIds: [eos],
    encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
    decode: (ids) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(ids)),
    stream() {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      return { push: (ids) => decoder.decode(bytes(ids), { stream: true }), end: () => decoder.decode() };
    },
  };
}

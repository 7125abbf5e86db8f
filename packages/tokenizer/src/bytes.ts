import { parseError } from "./json.ts";
import type { TokenizerFile } from "./tokenizer-json.ts";

/** The bytes of every id in one array: id owns bytes[offsets[id]] .. bytes[offsets[id + 1] - 1]. */
export interface ByteTable {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

/** Bytes that no UTF-8 text holds; a vocabulary may lack them. */
const neverInUtf8 = (byte: number) => byte === 0xc0 || byte === 0xc1 || byte > 0xf4;

/**
 * Control characters but tab and line ends, and the first bytes of planes 4 to 16. Some models (SmolLM2) were given only
 * the bytes of their training text; like the reference library, we drop what such a vocabulary cannot spell.
 */
const hardlyInText = (byte: number) =>
  (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13) || byte === 0x7f || byte > 0xf0;

/**
 * What every id writes. A byte-level piece spells each byte as one printable character; special tokens write nothing,
 * other added tokens their own text.
 *
 * @throws ERR_PARSE when a piece holds a character that stands for no byte, or the byte of a common one has no piece
 */
export function byteTable({ pieces, specials, plain }: TokenizerFile): ByteTable {
  const byteOf = byteCharacters();
  for (const [character, byte] of byteOf)
    if (!neverInUtf8(byte) && !hardlyInText(byte) && !pieces.includes(character))
      throw parseError(`its vocabulary has no piece for the byte 0x${byte.toString(16).padStart(2, "0")}`);

  const offsets = new Int32Array(pieces.length + 1);
  const out: number[] = [];
  const utf8 = new TextEncoder();
  for (let id = 0; id < pieces.length; id++) {
    const piece = pieces[id];
    if (piece !== undefined && !specials.has(id)) {
      if (plain.has(id)) for (const byte of utf8.encode(piece)) out.push(byte);
      else
        for (const character of piece) {
          const byte = byteOf.get(character);
          if (byte === undefined)
            throw parseError(
              `the piece ${JSON.stringify(piece)} of id ${id} holds a character that stands for no byte`,
            );
          out.push(byte);
        }
    }
    offsets[id + 1] = out.length;
  }
  return { bytes: Uint8Array.from(out), offsets };
}

/**
 * The byte alphabet of GPT-2: printable Latin-1 characters stand for themselves, the other 68 bytes, in order, for
 * U+0100 onwards.
 */
function byteCharacters(): Map<string, number> {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let spare = 0x100;
  return new Map(Array.from({ length: 256 }, (_, b) => [String.fromCodePoint(printable(b) ? b : spare++), b] as const));
}

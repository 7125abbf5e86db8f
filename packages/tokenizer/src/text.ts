import type { TextStream } from "@diffuspec/contracts";
import type { ByteTable } from "./bytes.ts";

/** ignoreBOM keeps U+FEFF as the character it is; without `fatal` a broken sequence becomes U+FFFD. */
const utf8 = () => new TextDecoder("utf-8", { ignoreBOM: true });

export const decodeAll = (table: ByteTable, ids: ArrayLike<number>): string => utf8().decode(gather(table, ids));

/** The runtime's own streaming decoder does the holding back. */
export function openStream(table: ByteTable): TextStream {
  const decoder = utf8();
  return {
    push: (ids) => decoder.decode(gather(table, ids), { stream: true }),
    end: () => decoder.decode(),
  };
}

/** The bytes of these ids; an id the vocabulary does not use (a padded one) writes nothing. */
function gather({ bytes, offsets }: ByteTable, ids: ArrayLike<number>): Uint8Array {
  const start = (id: number) => offsets[id] ?? 0;
  const end = (id: number) => offsets[id + 1] ?? start(id);
  let length = 0;
  for (let i = 0; i < ids.length; i++) length += end(ids[i]!) - start(ids[i]!);
  const out = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    const piece = bytes.subarray(start(ids[i]!), end(ids[i]!));
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

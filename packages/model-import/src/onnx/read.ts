import { DiffuSpecError } from "@diffuspec/contracts";
import type { Field } from "./protobuf.ts";

/** One field of a message. */
export interface ReadField {
  readonly field: number;
  /** The bytes of a length-delimited field; of any other, nothing. */
  readonly value: Uint8Array;
  /** Tag and value, to be written as they are. */
  readonly whole: Field;
}

const DELIMITED = 2;
/** Bytes of the value of the other wire types that are in use; a varint's are counted. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

/**
 * The fields of a message in their order; what lies in them is not looked at.
 *
 * @param from where the message begins in its file, for errors
 * @throws ERR_PARSE with the offset in `details`
 */
export function readFields(message: Uint8Array, from = message.byteOffset): ReadField[] {
  const fields: ReadField[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined || scale > 2 ** 63) throw malformed("a number has no end", from + at);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    const wire = tag % 8;
    let length = FIXED[wire] ?? 0;
    if (wire === DELIMITED) length = varint();
    else if (wire === 0) varint();
    else if (FIXED[wire] === undefined) throw malformed(`there is no wire type ${wire}`, from + start);
    if (length > message.length - at) throw malformed("a field is longer than its message", from + start);
    const value = message.subarray(at, wire === DELIMITED ? at + length : at);
    at += length;
    fields.push({ field: Math.floor(tag / 8), value, whole: message.subarray(start, at) });
  }
  return fields;
}

const malformed = (why: string, offset: number) =>
  new DiffuSpecError({
    code: "ERR_PARSE",
    what: "The graph cannot be read",
    why: `${why}, near byte ${offset}`,
    next: "Get the file again from where it was published, and compare its checksum.",
    details: { offset },
  });

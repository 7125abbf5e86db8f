import { DiffuSpecError } from "@diffuspec/contracts";

/** A whole file, or its lines without their ends. */
export type ArpaText = string | Uint8Array | Iterable<string>;

/** The lines of an ARPA text that are not blank, and the error that names the one at hand. */
export interface Lines {
  /** The next line, trimmed; undefined after the last. */
  next(): string | undefined;
  fail(why: string): DiffuSpecError;
}

/** @throws ERR_PARSE (from next too) for what is no text, naming what it is where that is known */
export function openLines(text: ArpaText): Lines {
  const place: Place = { line: 0 };
  const fail = (why: string) =>
    new DiffuSpecError({
      code: "ERR_PARSE",
      what: `The ARPA text cannot be read at line ${place.line}`,
      why,
      next: "Restore the file, or write it again.",
      details: { ...place },
    });
  const lines = split(text, place, fail);
  return {
    fail,
    next() {
      for (;;) {
        place.line++;
        const { value, done } = lines.next();
        if (done === true) return undefined;
        if (place.line === 1) refuse(value, fail);
        const trimmed = value.replace(/^[ \t\r]+|[ \t\r]+$/g, "");
        if (trimmed !== "") return trimmed;
      }
    },
  };
}

interface Place {
  /** From 1. */
  line: number;
  /** Where the line begins, in bytes; known where bytes were given. */
  offset?: number;
}

function split(text: ArpaText, place: Place, fail: Lines["fail"]): Iterator<string, void> {
  if (typeof text === "string") return splitText(text);
  return text instanceof Uint8Array ? splitBytes(text, place, fail) : text[Symbol.iterator]();
}

function* splitText(text: string): Generator<string, void> {
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    yield text.slice(start, end);
    start = end + 1;
  }
}

function* splitBytes(bytes: Uint8Array, place: Place, fail: Lines["fail"]): Generator<string, void> {
  place.offset = 0;
  refuse(String.fromCharCode(...bytes.subarray(0, 12)), fail);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(10, start);
    const end = found === -1 ? bytes.length : found;
    place.offset = start;
    let line: string;
    try {
      line = decoder.decode(bytes.subarray(start, end));
    } catch {
      throw fail("it is not UTF-8");
    }
    yield line;
    start = end + 1;
  }
}

/** Recognises what people confuse with an ARPA text, and says what to do. */
function refuse(line: string, fail: Lines["fail"]): void {
  if (line.startsWith("\x1f\x8b"))
    throw fail("it is gzip; readArpaGzip() of the entry /node reads that, or unpack it first (DecompressionStream)");
  if (line.startsWith("mmap lm http")) throw fail("it is a KenLM binary; read it with readKenlm()");
  if (line.startsWith("DSNG")) throw fail("it is our compact file; read it with decodeNgram()");
  if (line.startsWith("iARPA")) throw fail("it is IRSTLM's iARPA; convert it with its compile-lm --text=yes");
}

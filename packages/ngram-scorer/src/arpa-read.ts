import { type ArpaText, type Lines, openLines } from "./arpa-lines.ts";
import { findNgram, type Level, LOG_ZERO, MAX_ORDER, type NgramModel, tokenArray } from "./model.ts";

export type { ArpaText } from "./arpa-lines.ts";

export interface ArpaReadOptions {
  readonly vocabularySize: number;
  /** The id of a word; undefined refuses the file, but for <unk>. Default: decimal digits. */
  readonly id?: (word: string) => number | undefined;
}

/**
 * Reads an ARPA text. Ids without a line of their own get the probability of <unk> where the file has one and `id` knows no
 * id for it, else 10^-99. <s> and </s> are words like others: let `id` say which ids they are.
 *
 * @throws ERR_PARSE with the line (and its byte, where bytes were given): another format, counts that do not fit, a bad
 *   number or word, an n-gram whose first ids are not listed, one that is listed twice
 */
export function readArpa(text: ArpaText, options: ArpaReadOptions): NgramModel {
  const lines = openLines(text);
  const { next, fail } = lines;
  if (next() !== "\\data\\") throw fail("it does not begin with \\data\\");
  const counts: number[] = [];
  let line = next();
  for (; line?.startsWith("ngram "); line = next()) {
    const [, order, count] = /^ngram +(\d+) *= *(\d+)$/.exec(line) ?? [];
    counts.push(Number(count));
    if (Number(order) !== counts.length || counts.length > MAX_ORDER) throw fail(`orders are 1..${MAX_ORDER} in turn`);
  }
  if (counts.length === 0) throw fail("it announces no n-grams");

  const words: Words = { vocabularySize: options.vocabularySize, id: options.id ?? decimal };
  const levels: Level[] = [];
  for (let n = 1; n <= counts.length; n++) {
    if (line !== `\\${n}-grams:`) throw fail(`\\${n}-grams: is missing`);
    const section = createSection(n, n === counts.length);
    let found = 0;
    for (line = next(); line !== undefined && !line.startsWith("\\"); line = next(), found++) {
      if (found === counts[n - 1]) throw fail(`${found} ${n}-grams were announced and there are more`);
      section.add(line, words, fail);
    }
    if (found !== counts[n - 1]) throw fail(`${counts[n - 1]} ${n}-grams were announced and ${found} found`);
    levels.push(section.finish({ order: n - 1, vocabularySize: words.vocabularySize, levels }, fail));
  }
  if (line !== "\\end\\") throw fail("\\end\\ is missing");
  if (next() !== undefined) throw fail("something follows \\end\\");
  return { order: levels.length, vocabularySize: words.vocabularySize, levels };
}

interface Words {
  readonly vocabularySize: number;
  readonly id: (word: string) => number | undefined;
}

/** The n-grams of one order as they come, then sorted into a level under the one below. */
function createSection(n: number, highest: boolean) {
  let ids = new Uint32Array(1024 * n);
  let values = new Float32Array(2048); // ln p and back-off in turn
  let size = 0;
  let unknown = LOG_ZERO;
  const compare = (a: number, b: number) => {
    for (let i = 0; i < n; i++) if (ids[a * n + i] !== ids[b * n + i]) return ids[a * n + i]! - ids[b * n + i]!;
    return 0;
  };

  return {
    add(line: string, words: Words, fail: Lines["fail"]): void {
      const fields = line.split(/[ \t]+/);
      if (fields.length !== n + 1 && (highest || fields.length !== n + 2))
        throw fail(`a ${n}-gram has ${fields.length} fields`);
      const logProb = natural(fields[0]!, fail);
      if (logProb > 1e-6) throw fail(`the log-probability ${fields[0]} is above 0`);
      const backoff = fields.length === n + 2 ? natural(fields[n + 1]!, fail) : 0;
      if (n === 1 && /^<(unk|UNK)>$/.test(fields[1]!) && words.id(fields[1]!) === undefined) {
        unknown = Math.min(0, logProb);
        return;
      }
      if (size * n === ids.length) {
        ids = grown(ids, new Uint32Array(2 * ids.length));
        values = grown(values, new Float32Array(2 * values.length));
      }
      for (let i = 0; i < n; i++) {
        const id = words.id(fields[i + 1]!);
        if (id === undefined || !(Number.isInteger(id) && id >= 0 && id < words.vocabularySize))
          throw fail(`the word ${fields[i + 1]!.slice(0, 40)} is not in the vocabulary of ${words.vocabularySize}`);
        ids[size * n + i] = id;
      }
      values[2 * size] = Math.min(0, logProb);
      values[2 * size + 1] = backoff;
      size++;
    },

    finish(known: NgramModel, fail: Lines["fail"]): Level {
      const sorted = Uint32Array.from({ length: size }, (_, i) => i).sort(compare);
      const entries = n === 1 ? known.vocabularySize : size;
      const level = {
        tokens: tokenArray(known.vocabularySize, entries),
        logProb: new Float32Array(entries).fill(n === 1 ? unknown : 0),
        backoff: new Float32Array(highest ? 0 : entries),
        childStart: new Uint32Array(highest ? 0 : entries + 1),
      };
      if (n === 1) for (let id = 0; id < entries; id++) level.tokens[id] = id;
      const parents = known.levels[n - 2]?.childStart;
      for (let i = 0; i < size; i++) {
        const entry = sorted[i]!;
        const gram = ids.subarray(entry * n, entry * n + n);
        if (i > 0 && compare(sorted[i - 1]!, entry) === 0) throw fail(`${gram.join(" ")} is listed twice`);
        const place = n === 1 ? gram[0]! : i;
        level.tokens[place] = gram[n - 1]!;
        level.logProb[place] = values[2 * entry]!;
        if (!highest) level.backoff[place] = values[2 * entry + 1]!;
        if (!parents) continue;
        const parent = findNgram(known, gram, 0, n - 1);
        if (parent === -1) throw fail(`${gram.join(" ")} is listed and its first ${n - 1} ids are not`);
        parents[parent + 1]!++;
      }
      if (parents) for (let p = 1; p < parents.length; p++) parents[p]! += parents[p - 1]!;
      return level;
    },
  };
}

/** ARPA holds log10; this is where it becomes our natural log. */
function natural(text: string, fail: Lines["fail"]): number {
  const value = Number(text) * Math.LN10;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) || !Number.isFinite(Math.fround(value)))
    throw fail(`${text.slice(0, 40)} is not a number in range`);
  return value;
}

const decimal = (word: string) => (/^\d{1,8}$/.test(word) ? Number(word) : undefined);

function grown<T extends Uint32Array | Float32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

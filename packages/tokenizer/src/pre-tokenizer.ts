import { isObject, type JsonObject } from "./json.ts";

/**
 * Unicode White_Space, as the Rust library's \s has it. JavaScript's \s has U+FEFF in it and lacks U+0085.
 * Literal characters, so that no backend's regex rewriting touches them.
 */
const SPACE = "\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/** The GPT-2 pattern that a ByteLevel pre-tokenizer applies by itself. */
const BYTE_LEVEL_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * The same pre-tokenizer in words on which the JavaScript backends and the Rust library agree. Left alone, both backends
 * split at other places around U+FEFF and U+0085 (\s), and around digits that are not ASCII (Digits, \d).
 */
export function spellOut(preTokenizer: unknown): unknown {
  if (!isObject(preTokenizer)) return preTokenizer;
  switch (preTokenizer.type) {
    case "Sequence":
      return {
        ...preTokenizer,
        pretokenizers: Array.isArray(preTokenizer.pretokenizers) ? preTokenizer.pretokenizers.map(spellOut) : [],
      };
    case "Digits":
      return isolate(preTokenizer.individual_digits === true ? "\\p{N}" : "\\p{N}+");
    case "ByteLevel":
      // A prefix space has to come before the split, so such a file keeps its own pattern.
      if (preTokenizer.use_regex === false || preTokenizer.add_prefix_space === true) return preTokenizer;
      return {
        type: "Sequence",
        pretokenizers: [isolate(BYTE_LEVEL_PATTERN), { ...preTokenizer, use_regex: false }],
      };
    case "Split": {
      const { pattern } = preTokenizer;
      if (!isObject(pattern) || typeof pattern.Regex !== "string") return preTokenizer;
      return { ...preTokenizer, pattern: { Regex: unicodeClasses(pattern.Regex) } };
    }
    default:
      return preTokenizer;
  }
}

const isolate = (regex: string): JsonObject => ({
  type: "Split",
  pattern: { Regex: unicodeClasses(regex) },
  behavior: "Isolated",
  invert: false,
});

/** \s, \S, \d and \D with their Unicode meaning; a negated class inside a class has no spelling and stays. */
function unicodeClasses(regex: string): string {
  let inClass = false;
  return regex.replace(/\\.|\[|\]/gsu, (token) => {
    if (token === "[") inClass = true;
    else if (token === "]") inClass = false;
    else if (token === "\\s") return inClass ? SPACE : `[${SPACE}]`;
    else if (token === "\\S" && !inClass) return `[^${SPACE}]`;
    else if (token === "\\d") return "\\p{Nd}";
    else if (token === "\\D") return "\\P{Nd}";
    return token;
  });
}

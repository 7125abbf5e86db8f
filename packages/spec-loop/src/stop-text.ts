import type { TextStream } from "@diffuspec/contracts";

export interface StopText {
  /**
   * Text that this token released.
   * @param armed false lets text through unlooked at (before minTokens)
   */
  push(token: number, armed: boolean): { text: string; matched: boolean };
  /** What was held back, at the end of a generation. */
  end(): { text: string; matched: boolean };
}

/**
 * Text of a generation as its tokens come. Whatever could be the beginning of a stop string is held back until the next
 * token decides; from a match on, nothing is let through. Where two stop strings match, the one that begins first counts.
 */
export function createStopText(stream: TextStream, stop: readonly string[]): StopText {
  let held = "";
  const scan = (piece: string, armed: boolean) => {
    held += piece;
    const matches = armed ? stop.map((word) => held.indexOf(word)).filter((at) => at !== -1) : [];
    const cut =
      matches.length > 0 ? Math.min(...matches) : armed ? held.length - partialMatch(held, stop) : held.length;
    const text = held.slice(0, cut);
    held = matches.length > 0 ? "" : held.slice(cut);
    return { text, matched: matches.length > 0 };
  };
  return {
    push: (token, armed) => scan(stream.push([token]), armed),
    end() {
      const last = scan(stream.end(), true);
      return last.matched ? last : { text: last.text + held, matched: false };
    },
  };
}

/** Length of the longest end of `text` that a stop string begins with. */
function partialMatch(text: string, stop: readonly string[]): number {
  let longest = 0;
  for (const word of stop)
    for (let length = Math.min(word.length - 1, text.length); length > longest; length--)
      if (text.endsWith(word.slice(0, length))) longest = length;
  return longest;
}

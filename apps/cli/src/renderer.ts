import { once } from "node:events";
import type { Writable } from "node:stream";
import type { TokensEvent } from "diffuspec";
import type { Colors } from "./terminal.ts";

export interface Renderer {
  begin(prompt: string): void;
  /** Resolves when the stream takes more. */
  tokens(event: Pick<TokensEvent, "texts" | "accepted" | "text">): Promise<void>;
  end(): void;
}

/**
 * Writes a completion as it comes: accepted draft tokens green, the model's own plain. On a terminal the prompt stands in
 * front, dimmed, and the last line is ended; elsewhere exactly the text is written.
 */
export function createRenderer(out: Writable, colors: Colors, terminal: boolean): Renderer {
  let last = "";
  return {
    begin(prompt) {
      if (terminal) out.write(colors.dim(prompt));
    },
    async tokens({ texts, accepted, text }) {
      if (text === "") return;
      const painted = colors.isColorSupported ? runs(texts, accepted, colors) : text;
      last = text;
      if (!out.write(painted) && !out.destroyed) await Promise.race([once(out, "drain"), once(out, "close")]);
    },
    end() {
      if (terminal && !last.endsWith("\n")) out.write("\n");
    },
  };
}

/** Neighbouring tokens of one kind share one pair of escape codes. */
function runs(texts: readonly string[], accepted: readonly boolean[], colors: Colors): string {
  let out = "";
  for (let i = 0; i < texts.length; ) {
    const kind = accepted[i];
    let run = "";
    for (; i < texts.length && accepted[i] === kind; i++) run += texts[i];
    out += kind && run !== "" ? colors.green(run) : run;
  }
  return out;
}

import { DiffuSpecError, type Tokenizer } from "@diffuspec/contracts";
import { type ChatMessage, type ChatTemplate, checkMessages, type RenderOptions } from "./chat-template.ts";
import { isObject, parseError, parseObject } from "./json.ts";

export interface ChatEncoderOptions {
  readonly template: ChatTemplate;
  readonly tokenizer: Tokenizer;
  /** The tokenizer.json that the tokenizer was made of: its special tokens are those the template may write. */
  readonly json: string | object;
}

export interface ChatEncoder {
  /** Ids of the rendered conversation; no BOS id but the template's own. @throws ERR_PROMPT */
  encode(messages: readonly ChatMessage[], options?: RenderOptions): Int32Array;
}

/** A special token; lstrip and rstrip say that it swallows the white space on that side. */
interface Special {
  readonly id: number;
  readonly content: string;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

/**
 * Messages to ids. The template's special pieces become their ids; such a piece inside a message stays plain text, so that
 * no message can end its own turn or open another's.
 *
 * @throws ERR_PARSE where the file has no readable special tokens
 */
export function createChatEncoder({ template, tokenizer, json }: ChatEncoderOptions): ChatEncoder {
  const specials = new Map(specialsOf(json).map((special) => [special.content, special]));
  const anySpecial = specials.size > 0 ? anyOf([...specials.keys()]) : undefined;

  /** Ids of a text in which special pieces count; `restore` is applied to what lies between them. */
  function encodeText(text: string, restore: (text: string) => string): Int32Array {
    const parts = anySpecial ? text.split(anySpecial) : [text];
    const ids: number[] = [];
    for (const [index, part] of parts.entries()) {
      const special = index % 2 === 1 ? specials.get(part) : undefined;
      if (special) ids.push(special.id);
      else {
        const left = specials.get(parts[index - 1] ?? "")?.rstrip ? part.trimStart() : part;
        const plain = specials.get(parts[index + 1] ?? "")?.lstrip ? left.trimEnd() : left;
        for (const id of tokenizer.encode(restore(plain))) ids.push(id);
      }
    }
    return Int32Array.from(ids);
  }

  return {
    encode(messages, options) {
      checkMessages(messages);
      const forged = anySpecial && messages.some(({ role, content }) => anySpecial.test(`${role}\n${content}`));
      if (!forged) return encodeText(template.render(messages, options), (text) => text);
      const mark = unusedCharacter([template.source, ...messages.flatMap(({ role, content }) => [role, content])]);
      const order = [...specials.keys()];
      const hide = (text: string) => text.replace(new RegExp(anySpecial, "gu"), (p) => mark + order.indexOf(p) + mark);
      const hidden = messages.map(({ role, content }) => ({ role: hide(role), content: hide(content) }));
      const marked = new RegExp(`${mark}(\\d+)${mark}`, "gu");
      return encodeText(template.render(hidden, options), (text) => text.replace(marked, (_, i) => order[Number(i)]!));
    },
  };
}

function specialsOf(json: string | object): Special[] {
  const added = parseObject(json, "tokenizer.json").added_tokens ?? [];
  if (!Array.isArray(added)) throw parseError("added_tokens is not a list");
  return added.filter(isObject).flatMap(({ id, content, special, lstrip, rstrip }) => {
    if (special !== true || content === "") return [];
    if (typeof content !== "string" || !Number.isInteger(id)) throw parseError("a special token has no id or no piece");
    return [{ id: id as number, content, lstrip: lstrip === true, rstrip: rstrip === true }];
  });
}

/** Matches any of these, the longest first; the group makes split() keep what it found. */
function anyOf(pieces: readonly string[]): RegExp {
  const sorted = [...pieces].sort((a, b) => b.length - a.length);
  return new RegExp(`(${sorted.map((piece) => piece.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|")})`, "u");
}

/** A private-use character that is in none of the texts. */
function unusedCharacter(texts: readonly string[]): string {
  for (let code = 0xf8ff; code >= 0xe000; code--) {
    const character = String.fromCharCode(code);
    if (!texts.some((text) => text.includes(character))) return character;
  }
  throw new DiffuSpecError({
    code: "ERR_PROMPT",
    what: "The messages cannot be encoded",
    why: "they hold special pieces and every private-use character from U+E000 to U+F8FF",
    next: "Remove one or the other from them.",
  });
}

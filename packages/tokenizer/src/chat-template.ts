import { DiffuSpecError } from "@diffuspec/contracts";
import { Template } from "@huggingface/jinja";
import { isObject, parseError } from "./json.ts";

/** One turn of a conversation. Which roles there are is the template's affair: usually "system", "user", "assistant". */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplateOptions {
  /** What the template's bos_token writes; default nothing. */
  readonly bosToken?: string;
  /** What the template's eos_token writes; default nothing. */
  readonly eosToken?: string;
}

export interface RenderOptions {
  /** Whether the beginning of the assistant's next message stands behind the last one. Default true. */
  readonly addGenerationPrompt?: boolean;
}

export interface ChatTemplate {
  readonly source: string;
  /** The text that the model continues. @throws ERR_PROMPT where these are no messages, or none that the template takes */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
}

/** Characters of a template; the longest in use have some ten thousand. */
const MAX_SOURCE = 2 ** 18;

/**
 * A chat template (Jinja, as in tokenizer_config.json), with the variables that transformers gives it: messages,
 * add_generation_prompt, bos_token, eos_token.
 *
 * @throws ERR_PARSE where the source is no template, ERR_OPTION
 */
export function createChatTemplate(source: string, options: ChatTemplateOptions = {}): ChatTemplate {
  const { bosToken = "", eosToken = "" } = options;
  for (const key of Object.keys(options))
    if (key !== "bosToken" && key !== "eosToken") throw optionError(`there is no option ${JSON.stringify(key)}`);
  if (typeof bosToken !== "string" || typeof eosToken !== "string")
    throw optionError("bosToken and eosToken are pieces of text");
  const template = parse(source);
  return {
    source,
    render(messages, { addGenerationPrompt = true } = {}) {
      checkMessages(messages);
      try {
        return template.render({
          messages: messages.map((message) => ({ ...message })),
          add_generation_prompt: addGenerationPrompt,
          bos_token: bosToken,
          eos_token: eosToken,
        });
      } catch (cause) {
        throw promptError(
          `the chat template refuses them: ${reason(cause)}`,
          "Pass the roles, and their order, that the model was trained with.",
          cause,
        );
      }
    },
  };
}

/** @throws ERR_PROMPT unless these are messages, at least one */
export function checkMessages(messages: unknown): asserts messages is readonly ChatMessage[] {
  const next = 'Pass [{ role: "user", content: "..." }].';
  if (!Array.isArray(messages) || messages.length === 0) throw promptError("there is no list of at least one", next);
  for (const [index, message] of messages.entries()) {
    if (!isObject(message)) throw promptError(`number ${index} is no object`, next);
    const { role, content, ...rest } = message;
    if (typeof role !== "string" || role === "") throw promptError(`number ${index} has no role`, next);
    if (typeof content !== "string") throw promptError(`the content of number ${index} is no text`, next);
    const [extra] = Object.keys(rest);
    if (extra !== undefined) throw promptError(`number ${index} has the unknown field ${JSON.stringify(extra)}`, next);
  }
}

function parse(source: string): Template {
  const file = "The chat template";
  if (typeof source !== "string") throw parseError("it is no text", file);
  if (source.length > MAX_SOURCE) throw parseError(`it has more than ${MAX_SOURCE} characters`, file);
  try {
    return new Template(source);
  } catch (cause) {
    throw parseError(`it is no Jinja template: ${reason(cause)}`, file, cause);
  }
}

const reason = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, "");

const optionError = (why: string): DiffuSpecError =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: "The chat template cannot be made",
    why,
    next: "Pass createChatTemplate(source, { bosToken, eosToken }).",
  });

const promptError = (why: string, next: string, cause?: unknown): DiffuSpecError =>
  new DiffuSpecError({ code: "ERR_PROMPT", what: "The messages cannot be rendered", why, next, cause });

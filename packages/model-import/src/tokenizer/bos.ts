import { bosPiece } from "@diffuspec/contracts";

type Json = Readonly<Record<string, unknown>>;

/** The id that every text begins with. */
export function bosOf(tokenizer: Json | undefined, config: Json): number | undefined {
  const piece = bosPiece(tokenizer, config);
  const added: readonly unknown[] = Array.isArray(tokenizer?.added_tokens) ? tokenizer.added_tokens : [];
  const token = added.filter(isObject).find(({ content }) => content !== undefined && content === piece);
  return typeof token?.id === "number" ? token.id : undefined;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The piece that every text of a model begins with, by its files: the special token at the start of the post-processor's
 * template for one text in tokenizer.json, else bos_token of tokenizer_config.json where add_bos_token is true.
 * Defined once, for an import and a tokenizer that differed would shift every id of a text.
 */
export function bosPiece(tokenizer: unknown, config: unknown): string | undefined {
  const { bos_token: bos, add_bos_token: adds } = isObject(config) ? config : {};
  const named = isObject(bos) ? bos.content : bos;
  const start = isObject(tokenizer) ? templateStart(tokenizer.post_processor) : undefined;
  const piece = start ?? (adds === true ? named : undefined);
  return typeof piece === "string" ? piece : undefined;
}

function templateStart(processor: unknown): unknown {
  if (!isObject(processor)) return undefined;
  if (processor.type === "Sequence" && Array.isArray(processor.processors))
    return processor.processors.map(templateStart).find((start) => start !== undefined);
  if (processor.type !== "TemplateProcessing" || !Array.isArray(processor.single)) return undefined;
  const first: unknown = processor.single[0];
  return isObject(first) && isObject(first.SpecialToken) ? first.SpecialToken.id : undefined;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

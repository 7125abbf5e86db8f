type Json = Readonly<Record<string, unknown>>;

/**
 * The id that tokenizer.json puts before every text: where its template for one text begins with a special token, or
 * where tokenizer_config.json asks for it.
 */
export function bosOf(tokenizer: Json | undefined, config: Json): number | undefined {
  const added = (Array.isArray(tokenizer?.added_tokens) ? tokenizer.added_tokens : []).filter(isObject);
  const idOf = (piece: unknown) => added.find((token) => token.content === piece)?.id;
  const bos = isObject(config.bos_token) ? config.bos_token.content : config.bos_token;
  const id = idOf(templateStart(tokenizer?.post_processor) ?? (config.add_bos_token === true ? bos : undefined));
  return typeof id === "number" ? id : undefined;
}

function templateStart(processor: unknown): unknown {
  if (!isObject(processor)) return undefined;
  if (processor.type === "Sequence" && Array.isArray(processor.processors))
    return processor.processors.map(templateStart).find((start) => start !== undefined);
  if (processor.type !== "TemplateProcessing" || !Array.isArray(processor.single)) return undefined;
  const first: unknown = processor.single[0];
  return isObject(first) && isObject(first.SpecialToken) ? first.SpecialToken.id : undefined;
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

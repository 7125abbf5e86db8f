import { ApiError, badRequest } from "./api-error.ts";

/**
 * Reads a request's body as JSON.
 *
 * @param maxBytes longer bodies are refused: by their declared length at once, else as soon as the limit is passed
 * @throws ApiError 413, or 400 for what is not UTF-8 or not JSON
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    size += read.value.byteLength;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(read.value);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw badRequest("The body is not valid JSON in UTF-8.");
  }
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(
    413,
    {
      message: `The body is larger than ${maxBytes} bytes.`,
      type: "invalid_request_error",
      code: "request_too_large",
    },
    { headers: { connection: "close" } },
  );
}

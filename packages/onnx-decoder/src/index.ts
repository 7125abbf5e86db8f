/**
 * Decoder graphs on ONNX Runtime: sessions, KV buffers, and the probe that proves row-exactness.
 *
 * @module
 * @example
 * import { createCache, createDecoder, rowRange } from "@diffuspec/onnx-decoder";
 * const decoder = await createDecoder({ graph: "model/target.int8.chain.onnx", shape: manifest.target });
 * const cache = createCache(manifest.target);
 * const pass = await decoder.run(cache, { ids: Int32Array.of(0, 17), rows: rowRange(0, 2), fetch: ["argmax", "new_kv"] });
 * cache.append(pass, rowRange(0, 2));
 * pass.i32("argmax")[1]; // the next token
 */
export { causalBias, treeBias, UNSEEN } from "./bias.ts";
export { bucket, type CacheOptions, createCache, type KvCache } from "./cache.ts";
export { type Canvas, type CanvasOptions, type CanvasPass, createCanvas } from "./canvas.ts";
export { createDecoder, type Decoder, type DecoderOptions, type PassRequest } from "./decoder.ts";
export { defaultThreads, type GraphOptions } from "./graph-session.ts";
export { createHubDecoder, type HubDecoder, type HubDecoderOptions } from "./hub-decoder.ts";
export { withMeasuredThreads } from "./measured-threads.ts";
export type { DecoderPass } from "./pass.ts";
export { type ProbeOptions, probeRowExact, type RowDifference, type RowExactness } from "./probe.ts";
export { chainRequest } from "./request.ts";
export { exactRows, int64, rowRange } from "./rows.ts";
export type { DecoderShape } from "./shape.ts";
export { type RowTime, type TimeRowsOptions, timeRows } from "./time-rows.ts";
export { probeTrunkExact } from "./trunk-probe.ts";

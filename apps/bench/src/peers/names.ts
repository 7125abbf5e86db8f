/** Other programs, by the weights they run. */
export const PEER_NAMES = [
  "transformers.js-fp32",
  "transformers.js-q8",
  "transformers.js-q4",
  "node-llama-cpp",
  "node-llama-cpp-lookup",
] as const;
export type PeerName = (typeof PEER_NAMES)[number];

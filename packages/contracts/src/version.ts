/** Every drafter and verifier states the version of the contracts it was written against. */
export const CONTRACT_VERSION = 1 as const;

/** What answers, in the order of the tables. `ar`: the fastest one-row loop; `arExact`: the verifier without drafts. */
export const METHOD_NAMES = [
  "ar",
  "arExact",
  "promptLookup",
  "ngram",
  "dlmArgmax",
  "everyRound",
  "diffuspec",
  "diffuspecWithoutCps",
  "diffuspecWithoutLengthControl",
  "diffuspecWithoutBoth",
] as const;
export type MethodName = (typeof METHOD_NAMES)[number];

export const LABELS: Readonly<Record<MethodName, string>> = {
  ar: "plain AR, one row",
  arExact: "plain AR, exact",
  promptLookup: "prompt lookup",
  ngram: "n-gram alone",
  dlmArgmax: "DLM argmax",
  everyRound: "DiffuSpec, DLM every round",
  diffuspec: "DiffuSpec",
  diffuspecWithoutCps: "DiffuSpec without CPS",
  diffuspecWithoutLengthControl: "DiffuSpec without length control",
  diffuspecWithoutBoth: "DiffuSpec without both",
};

/** What is compared with arExact. */
export const isDrafting = (name: MethodName): boolean => name !== "ar" && name !== "arExact";

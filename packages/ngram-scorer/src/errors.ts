import { DiffuSpecError } from "@diffuspec/contracts";

export function optionError(what: string, why: string): DiffuSpecError {
  return new DiffuSpecError({ code: "ERR_OPTION", what, why, next: "See the README of @diffuspec/ngram-scorer." });
}

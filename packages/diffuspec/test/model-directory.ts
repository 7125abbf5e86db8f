import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const embedded = fileURLToPath(new URL("../../model-tiny-js/model", import.meta.url));

/** The pair that tests run on: the embedded one, or the directory DIFFUSPEC_TEST_MODEL names while that is being made. */
export const modelDirectory = process.env.DIFFUSPEC_TEST_MODEL ?? embedded;

export const missingModel = existsSync(`${modelDirectory}/manifest.json`)
  ? undefined
  : `packages/model-tiny-js/model is not there; set DIFFUSPEC_TEST_MODEL to a model directory`;

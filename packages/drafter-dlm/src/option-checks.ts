import { DiffuSpecError } from "@diffuspec/contracts";

/** Makes the ERR_OPTION of one kind of options. */
export type Refuse = (what: string, why: string) => DiffuSpecError;

/** @param next where the reader finds what is allowed */
export const refuseWith =
  (next: string): Refuse =>
  (what, why) =>
    new DiffuSpecError({ code: "ERR_OPTION", what, why, next });

/** @returns a check that throws ERR_OPTION unless the value is an integer in least..most */
export const integerWith =
  (refuse: Refuse) =>
  (key: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw refuse(`${key} is ${value}`, `it is an integer in ${least}..${most}`);
  };

/** What build B has more in its environment: names that Go does not read, and that a recipe may not set. */
export const noise = {
  BUILD_NUMBER: "4711",
  CI: "true",
  EDITOR: "ed",
  TWIN_NOISE: "some value with spaces",
} as const;

export const noiseNames: readonly string[] = Object.keys(noise);

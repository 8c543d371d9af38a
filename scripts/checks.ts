export type Check = { readonly name: string; readonly argv: readonly [string, ...string[]] };

/** From quick to slow; `TWINSEAL_TEST_JSON` names a file for vitest's counts. */
const testJson = process.env["TWINSEAL_TEST_JSON"];
const reporters =
  testJson === undefined ? [] : ["--reporter=default", "--reporter=json", `--outputFile.json=${testJson}`];

export const checks: readonly Check[] = [
  { name: "format", argv: ["oxfmt", "--check"] },
  { name: "lint", argv: ["oxlint", "--type-aware", "--deny-warnings"] },
  { name: "types", argv: ["tsc"] },
  { name: "generated", argv: [process.execPath, "scripts/generate.ts", "--check"] },
  { name: "doors", argv: [process.execPath, "scripts/generate-doors.ts", "--check"] },
  { name: "bundle", argv: [process.execPath, "scripts/bundle-check.ts"] },
  { name: "test", argv: ["vitest", "run", ...reporters] },
];

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { executeCheck } from "../../builder/check-artifact.ts";
import { readHost } from "../../builder/host.ts";
import { openToolchain, type TestToolchain } from "../support/toolchain.ts";
import { openTwinBench, programRecipe, type TwinBench } from "../support/twin.ts";

const main = `package main

import "os"

func main() {
	println("hello")
	os.Exit(len(os.Args) - 1)
}
`;
let toolchain: TestToolchain;
let bench: TwinBench;
let program: string;
beforeAll(async () => {
  toolchain = await openToolchain();
  bench = await openTwinBench(toolchain, []);
  const { runs, dir } = await bench.build({ main });
  program = join(dir, "a", runs.a.artifacts[0]?.name ?? "none");
}, 300_000);
afterAll(async () => bench?.[Symbol.asyncDispose]());

it.each([
  ["what was expected", "hello", [], true],
  ["something else", "bye", [], false],
  ["what was expected, and fails", "hello", ["fail"], false],
  // Without tags nothing is left of it, and nothing is in every text.
  ["anything, where nothing is left of what was expected", "{tags}", [], false],
] as const)("a program that prints %s", async (_what, prints, run, passed) => {
  const host = readHost();
  const recipe = programRecipe({ check: { run, prints } });
  const place = { program, others: [], rootfsDir: "", workDir: bench.dir };
  const subject = { recipe, lock: toolchain.lock };
  const result = await executeCheck(subject, host.platform, place, host, bench.drivers.a);
  expect(result).toMatchObject({ ran: true, passed, printed: expect.stringContaining("hello") });
});

import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { trySudo } from "../../../builder/sandbox/preflight.ts";
import { openToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../../support/twin.ts";

/** The way through sudo, taken although user namespaces may work here too. */
let bench: TwinBench | undefined;
let refused = "";
beforeAll(async () => {
  const tried = await trySudo();
  if (tried.code !== 0) refused = `sudo without a password does not work here: ${tried.stderr.trim()}`;
  else {
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    bench = await openTwinBench(await openToolchain(), ["hostile"], {
      access: { through: "sudo", uid, gid, timeNamespace: false },
    });
  }
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

it("through sudo a hostile step gets the same errors, both sides agree, and nothing is left to root", async (context) => {
  if (bench === undefined) return context.skip(refused);
  const built = await bench.build({ before: ["hostile"] });
  for (const side of ["a", "b"]) {
    const log = await readFile(join(built.dir, side, "build.log"), "utf8");
    const attempts = log.split("\n").filter((line) => line.startsWith("hostile: "));
    expect(attempts.length).toBeGreaterThan(60);
    expect(
      attempts.filter((line) => !line.includes(": refused: ")),
      log,
    ).toEqual([]);
  }
  expect((await built.comparison()).verdict).toBe("match");
  expect(existsSync("/written")).toBe(false);
  const made = await stat(join(built.dir, "a", built.runs.a.artifacts[0]?.name ?? ""));
  expect(made.mode & 0o6000).toBe(0);
});

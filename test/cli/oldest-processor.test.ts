import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { findEmulator } from "../../builder/emulator.ts";
import { reportSchema } from "../../builder/report.ts";
import { openProject, projectRecipe } from "../support/project.ts";
import { openToolchain } from "../support/toolchain.ts";

beforeAll(async () => {
  await openToolchain();
}, 600_000);

const files = {
  "go.mod": "module example.test/tiny\n\ngo 1.21\n",
  "main.go":
    'package main\n\nvar version string\n\nfunc wide()\n\nfunc main() {\n\twide()\n\tprintln("tiny " + version)\n}\n',
  // An instruction of AVX2, which nobody asked the processor for.
  "wide_amd64.s": '#include "textflag.h"\n\nTEXT ·wide(SB), NOSPLIT, $0-0\n\tVPXOR Y0, Y0, Y0\n\tVZEROUPPER\n\tRET\n',
};

it("a program that needs more of the processor than its level allows is not passed, though it runs here", async (context) => {
  const emulator = await findEmulator();
  if (typeof emulator === "string") context.skip(emulator);
  if (!/\bavx2\b/.test(await readFile("/proc/cpuinfo", "utf8"))) context.skip("this processor has no AVX2");
  const recipeFor = async (more: string) =>
    (await projectRecipe(`  env: {GOAMD64: v3}\ncheck: {run: [], prints: "tiny {version}"}\n${more}`)).replace(
      "[linux/amd64, linux/arm64]",
      "[linux/amd64]",
    );
  // A target's env replaces the general one as a whole: this one is built for v1.
  const first = await recipeFor("perTarget: {linux/amd64: {env: {OTHER: x}}}\n");
  await using project = await openProject({ ...files, "twinseal.yaml": first });
  const build = async () => {
    const pinned = await project.run(["pin", "@1.0.0"]);
    expect(pinned.code, pinned.stderr).toBe(0);
    const built = await project.run(["build", "--out", "out"]);
    const text = await readFile(join(project.dir, "out/tiny-v1.0.0/report.json"), "utf8");
    return { built, target: reportSchema.parse(JSON.parse(text)).targets[0] };
  };
  const plain = await build();
  expect(plain.built.code, plain.built.stderr).toBe(1);
  expect(plain.target).toMatchObject({
    verdict: "check-failed",
    check: { ran: true, passed: true, oldest: { ran: true, processor: "qemu64", passed: false } },
  });
  expect(plain.built.stdout + plain.built.stderr).toContain("not on the oldest processor it is for (qemu64, emulated)");

  await project.write({ "twinseal.yaml": await recipeFor("") });
  const stated = await build();
  expect(stated.built.code, stated.built.stderr).toBe(0);
  expect(stated.target).toMatchObject({
    verdict: "match",
    check: { oldest: { ran: true, processor: "Haswell", passed: true } },
  });
});

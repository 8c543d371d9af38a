import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDebianRootfs } from "../../../builder/inputs/debian-rootfs.ts";
import { rootfsTree } from "../../../builder/inputs/rootfs.ts";
import { engineNames } from "../../../builder/sandbox/engine.ts";
import { hostSuite, lackOfCompiler, pinCompiler } from "../../support/compiler.ts";
import { openEngine } from "../../support/engines.ts";
import { openToolchain, type TestToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type BenchOptions } from "../../support/twin.ts";

const main = `package main

// static const char *say(void) { return "hello"; }
import "C"

func main() { println(C.GoString(C.say())) }
`;

/** One rootfs of a real pinned gcc for all drivers, and what namespaces make with it. */
let toolchain: TestToolchain;
let rootfsDir = "";
let alone: string | undefined;
let lack: string | undefined;

async function buildUnder(options: BenchOptions) {
  await using bench = await openTwinBench(toolchain, [], { rootfsDir, ...options });
  const { runs, comparison } = await bench.build({ cgo: true, main });
  expect(runs.b.outcome, runs.b.failure?.excerpt.join("\n")).toBe("built");
  expect((await comparison()).verdict).toBe("match");
  return { drivers: [runs.a.driver, runs.b.driver], sha256: runs.b.artifacts[0]?.sha256 };
}

beforeAll(async () => {
  lack = await lackOfCompiler();
  if (lack !== undefined) return;
  toolchain = await openToolchain();
  const { store } = toolchain;
  const locked = await pinCompiler(store, await hostSuite(), ["gcc", "libc6-dev"]);
  rootfsDir = await rootfsTree(store, locked.rootfs, (dir) => makeDebianRootfs(store, locked.packages, dir));
  alone = (await buildUnder({})).sha256;
}, 600_000);

describe.each(engineNames)("a program with C in it, under %s", (name) => {
  let engine: Awaited<ReturnType<typeof openEngine>>;
  beforeAll(async () => {
    engine = await openEngine(name);
  });
  afterAll(async () => {
    if (typeof engine !== "string") await engine[Symbol.asyncDispose]();
  });

  it.for([name, `namespaces,${name}`])("is the one that namespaces make: %s", async (driver, context) => {
    if (lack !== undefined) return context.skip(lack);
    if (typeof engine === "string") return context.skip(engine);
    const built = await buildUnder({ driver, env: engine.env });
    expect(built.sha256).toBe(alone);
    expect(built.drivers).toEqual(driver.includes(",") ? ["namespaces", name] : [name, name]);
  });
});

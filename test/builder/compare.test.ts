import { cp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareRuns } from "../../builder/compare.ts";
import { digestFile, sha256Of } from "../../builder/digest.ts";
import { judgeRunFolders } from "../../builder/judge.ts";
import { runSchema, type Run } from "../../builder/run.ts";
import { loadRunFolder } from "../../builder/run-folder.ts";
import { openToolchain } from "../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../support/twin.ts";

/** One real twin build; each test works on a copy of its two folders. */
let bench: TwinBench;
let original: string;
beforeAll(async () => {
  bench = await openTwinBench(await openToolchain(), ["leak"]);
  original = (await bench.build({ before: ["leak", "leak.go", "nothing"] })).dir;
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

type Copy = { readonly dir: string; readonly change: (side: "a" | "b", change: (run: Run) => object) => Promise<void> };

async function copy(): Promise<Copy> {
  const dir = join(bench.dir, `copy-${randomUUID()}`);
  for (const side of ["a", "b"]) await cp(join(original, side), join(dir, side), { recursive: true });
  return {
    dir,
    change: async (side, change) => {
      const path = join(dir, side, "run.json");
      const run = runSchema.parse(JSON.parse(await readFile(path, "utf8")));
      await writeFile(path, JSON.stringify({ ...run, ...change(run) }));
    },
  };
}

const variationOf = ({ plan }: Run) => (plan as { variation: object }).variation;

const compare = async ({ dir }: Copy) =>
  compareRuns(await loadRunFolder(join(dir, "a")), await loadRunFolder(join(dir, "b")));

/** Replaces an artifact and says so in run.json, as a build that gave other bytes would. */
async function replaceArtifact(made: Copy, side: "a" | "b", bytes: (old: Buffer) => Buffer): Promise<void> {
  const name = await nameOf(made);
  const path = join(made.dir, side, name);
  await writeFile(path, bytes(await readFile(path)));
  const digest = await digestFile(path);
  await made.change(side, () => ({ artifacts: [{ name, ...digest }] }));
}

async function nameOf(made: Copy): Promise<string> {
  const { run } = await loadRunFolder(join(made.dir, "a"));
  return run.artifacts[0]?.name ?? "";
}

describe("compareRuns", () => {
  it("makes the proof for equal bytes", async () => {
    const comparison = await compare(await copy());
    expect(comparison.verdict).toBe("match");
  });

  it("refuses the same run twice, the same side twice, and runs of something else", async () => {
    const same = await copy();
    const a = await loadRunFolder(join(same.dir, "a"));
    await expect(compareRuns(a, a)).rejects.toMatchObject({ kind: "caller", code: "SAME_RUN" });
    const sameSide = await copy();
    await sameSide.change("b", () => ({ side: "a" }));
    await expect(compare(sameSide)).rejects.toMatchObject({ kind: "caller", code: "SAME_SIDE" });
    for (const change of [
      { lock: { sha256: sha256Of("other") } },
      { version: "9.9.9" },
      { name: "other" },
      { platform: "darwin/arm64" },
    ]) {
      const other = await copy();
      await other.change("b", () => change);
      await expect(compare(other)).rejects.toMatchObject({ kind: "caller", code: "NOT_COMPARABLE" });
    }
  });

  it("refuses equal bytes that are no program for the declared platform, from another machine too", async () => {
    const made = await copy();
    for (const side of ["a", "b"] as const) {
      await made.change(side, ({ plan }) => ({
        platform: "linux/arm64",
        plan: Object.assign({}, plan, { platform: "linux/arm64" }),
      }));
    }
    const judged = judgeRunFolders(join(made.dir, "a"), join(made.dir, "b"));
    await expect(judged).rejects.toMatchObject({ kind: "verdict", code: "WRONG_PLATFORM" });
  });

  it("says where bytes differ: offset, count, section", async () => {
    const made = await copy();
    await replaceArtifact(made, "b", (old) => {
      const at = old.indexOf("always the same");
      const bytes = Buffer.from(old);
      bytes.write("ALWAYS", at);
      return bytes;
    });
    const comparison = await compare(made);
    if (comparison.verdict !== "mismatch") throw new Error(comparison.verdict);
    const offset = (await readFile(join(made.dir, "a", await nameOf(made)))).indexOf("always the same");
    expect(comparison.differences).toMatchObject([
      { kind: "bytes", firstOffset: offset, differingBytes: 6, rangeCount: 1, section: ".rodata" },
    ]);
  });

  it("calls another size a mismatch, and an artifact that only one run made", async () => {
    const longer = await copy();
    await replaceArtifact(longer, "b", (old) => Buffer.concat([old, Buffer.of(0)]));
    expect(await compare(longer)).toMatchObject({
      verdict: "mismatch",
      differences: [{ kind: "bytes", differingBytes: 1 }],
    });
    for (const side of ["a", "b"] as const) {
      const extra = await copy();
      await writeFile(join(extra.dir, side, "second"), "x");
      const digest = await digestFile(join(extra.dir, side, "second"));
      await extra.change(side, (run) => ({ artifacts: [...run.artifacts, { name: "second", ...digest }] }));
      expect(await compare(extra)).toMatchObject({
        verdict: "mismatch",
        differences: [{ kind: `only-in-${side}`, name: "second" }],
      });
    }
  });

  it("never calls nothing a match", async () => {
    const made = await copy();
    const name = await nameOf(made);
    for (const side of ["a", "b"] as const) {
      await rm(join(made.dir, side, name));
      await made.change(side, () => ({ artifacts: [] }));
    }
    await expect(compare(made)).rejects.toMatchObject({ kind: "verdict", code: "NO_ARTIFACT" });
  });

  it("believes bytes, not run.json: a changed, missing or added file is an alarm", async () => {
    const changed = await copy();
    const name = await nameOf(changed);
    for (const side of ["a", "b"]) await writeFile(join(changed.dir, side, name), "the same other bytes");
    await expect(compare(changed)).rejects.toMatchObject({ kind: "alarm", code: "RUN_CHANGED" });
    const missing = await copy();
    await rm(join(missing.dir, "b", name));
    await expect(compare(missing)).rejects.toMatchObject({ kind: "alarm", code: "RUN_CHANGED" });
    const added = await copy();
    await writeFile(join(added.dir, "a", "added"), "x");
    await expect(compare(added)).rejects.toMatchObject({ kind: "alarm", code: "RUN_CHANGED" });
  });

  it("refuses a run whose graph or count says that not everything was compiled", async () => {
    const graph = await copy();
    const path = join(graph.dir, "b", "actiongraph.json");
    const actions = JSON.parse(await readFile(path, "utf8")) as { Mode: string; Cmd?: unknown }[];
    const warmed = actions.findIndex(
      (action) => action.Mode === "build" && action.Cmd !== undefined && action.Cmd !== null,
    );
    await writeFile(
      path,
      JSON.stringify(actions.map((action, index) => (index === warmed ? { ...action, Cmd: null } : action))),
    );
    await expect(compare(graph)).rejects.toMatchObject({ kind: "verdict", code: "WARM_CACHE" });
    const counted = await copy();
    await counted.change("a", (run) => ({ packages: { ...run.packages, compiled: 0 } }));
    await expect(compare(counted)).rejects.toMatchObject({ kind: "verdict", code: "WARM_CACHE" });
  });

  it("refuses a run in whose graph nothing was linked: the program was there before", async () => {
    const made = await copy();
    const path = join(made.dir, "b", "actiongraph.json");
    const actions = JSON.parse(await readFile(path, "utf8")) as { Mode: string }[];
    await writeFile(
      path,
      JSON.stringify(actions.map((action) => (action.Mode === "link" ? { ...action, Cmd: null } : action))),
    );
    await expect(compare(made)).rejects.toMatchObject({ kind: "verdict", code: "NOT_LINKED" });
  });

  it("refuses one run that was copied and called the other side, with its own or with borrowed values", async () => {
    const { run: other } = await loadRunFolder(join(original, "b"));
    for (const observed of [undefined, other.observed]) {
      const made = await copy();
      await rm(join(made.dir, "b"), { recursive: true });
      await cp(join(made.dir, "a"), join(made.dir, "b"), { recursive: true });
      const borrowed = observed === undefined ? {} : { observed };
      await made.change("b", () => ({ id: randomUUID(), side: "b", ...borrowed }));
      await expect(compare(made)).rejects.toMatchObject({ kind: "alarm", code: "RUN_INCOHERENT" });
      await made.change("b", ({ plan }) => ({ plan: Object.assign({}, plan, { side: "b" }) }));
      await expect(compare(made)).rejects.toMatchObject(
        observed === undefined ? { kind: "caller", code: "RUNS_ALIKE" } : { kind: "alarm", code: "RUN_INCOHERENT" },
      );
    }
  });

  it("excuses a day of the build only by a lock, never by what a run says", async () => {
    const dated = await bench.build({ before: ["leak", "leak.go", "new-file-day"] });
    const sides = ["a", "b"].map((side) => join(dated.dir, side)) as [string, string];
    expect(await judgeRunFolders(...sides)).toMatchObject({ comparison: { verdict: "suspect" } });
    const path = join(sides[0], "run.json");
    const run = JSON.parse(await readFile(path, "utf8")) as object;
    await writeFile(path, JSON.stringify({ ...run, lockedDates: [new Date().toISOString().slice(0, 10)] }));
    await expect(judgeRunFolders(...sides)).rejects.toMatchObject({ code: "RUN_INVALID" });
  });

  it.each<[string, (run: Run, other: Run) => object]>([
    [
      "another variation in its plan",
      (run, other) => ({ plan: { ...(run.plan as object), variation: variationOf(other) } }),
    ],
    ["a home that its probe did not see", (run) => ({ observed: { ...run.observed, home: "/elsewhere" } })],
    [
      "a cache that its probe did not see",
      (run, other) => ({ observed: { ...run.observed, "build-cache-path": other.observed["build-cache-path"] } }),
    ],
    ["a step that failed", (run) => ({ steps: run.steps.map((step) => ({ ...step, exitCode: 1 })) })],
    ["a step less than its plan", (run) => ({ steps: run.steps.slice(1) })],
    ["another command than its plan", (run) => ({ steps: run.steps.map((step) => ({ ...step, argv: ["true"] })) })],
  ])("refuses a run with %s", async (_what, change) => {
    const made = await copy();
    const other = (await loadRunFolder(join(made.dir, "a"))).run;
    await made.change("b", (run) => change(run, other));
    await expect(compare(made)).rejects.toMatchObject({ kind: "alarm", code: "RUN_INCOHERENT" });
  });

  it("refuses a working tree beside what is none, and links in place of a run's own files", async () => {
    const local = await copy();
    await local.change("a", ({ local: is }) => ({ local: !is }));
    await expect(compare(local)).rejects.toMatchObject({ code: "NOT_COMPARABLE" });
    for (const name of ["run.json", "actiongraph.json"]) {
      const linked = await copy();
      await rename(join(linked.dir, "b", name), join(linked.dir, "aside"));
      await symlink("../aside", join(linked.dir, "b", name));
      await expect(compare(linked), name).rejects.toMatchObject({ code: "RUN_CHANGED" });
    }
  });

  it("calls a build that fails on one side a mismatch, on both a failure", async () => {
    const failed = ({ steps }: Run) => ({
      outcome: "failed",
      failure: { step: "build", message: "exit code 1", excerpt: ["x.go:1: no"] },
      steps: steps.map((step, index) => (index === steps.length - 1 ? { ...step, exitCode: 1 } : step)),
    });
    const one = await copy();
    await one.change("b", failed);
    expect(await compare(one)).toMatchObject({ verdict: "mismatch", differences: [{ kind: "failed-in-b" }] });
    const both = await copy();
    await both.change("a", failed);
    await both.change("b", failed);
    await expect(compare(both)).rejects.toMatchObject({ kind: "verdict", code: "BUILD_FAILED" });
  });

  it("refuses a folder that is no run's, a broken run.json, and artifact names that leave the folder", async () => {
    const made = await copy();
    await expect(loadRunFolder(bench.dir)).rejects.toMatchObject({ kind: "caller", code: "RUN_INVALID" });
    await made.change("a", (run) => ({
      artifacts: run.artifacts.map((artifact) => ({ ...artifact, name: "../b/run.json" })),
    }));
    await expect(compare(made)).rejects.toMatchObject({ kind: "caller", code: "RUN_INVALID" });
    await writeFile(join(made.dir, "a", "run.json"), "{");
    await expect(compare(made)).rejects.toMatchObject({ kind: "caller", code: "RUN_INVALID" });
  });
});

describe("judging two folders", () => {
  it("names the package and the dimension when a path leaked", async () => {
    const built = await bench.build({ before: ["leak", "leak.go", "hostname"] });
    const judged = await judgeRunFolders(join(built.dir, "b"), join(built.dir, "a"));
    if (!("explanation" in judged) || judged.explanation === undefined) throw new Error("no explanation");
    expect(judged.a.side).toBe("a"); // whichever is named first
    expect(judged.explanation.cause).toBe("hostname");
    expect(judged.explanation.text).toContain("example.test/program");
  });

  it("names the clock when a time of day leaked, in whatever zone", async () => {
    const built = await bench.build({ before: ["leak", "leak.go", "time-of-day"] });
    const judged = await judgeRunFolders(join(built.dir, "a"), join(built.dir, "b"));
    if (!("explanation" in judged)) throw new Error("no explanation");
    expect(judged.explanation).toMatchObject({
      cause: "time",
      text: expect.stringMatching(/A's holds "\d\d:\d\d:\d\d"/),
    });
  });

  it("keeps both sides' artifacts, logs and action graphs", async () => {
    const built = await bench.build({ before: ["leak", "leak.go", "random"] });
    expect((await built.comparison()).verdict).toBe("mismatch");
    for (const side of ["a", "b"] as const) {
      for (const name of [built.runs[side].artifacts[0]?.name ?? "?", "build.log", "actiongraph.json", "run.json"]) {
        expect(existsSync(join(built.dir, side, name)), name).toBe(true);
      }
    }
  });
});

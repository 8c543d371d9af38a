import { randomUUID } from "node:crypto";
import { chmod, copyFile, mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { digestFile, sha256Of, sha256Schema, type Sha256 } from "../digest.ts";
import { TwinsealError, interrupted, systemCodeOf } from "../errors.ts";
import type { Watch } from "../inputs/module-tree.ts";
import { runProcess } from "../process.ts";
import type { LockedToolchain } from "../recipe/lock.ts";

/**
 * The program that runs inside a sandbox is built from its source in the tree by the pinned toolchain: twice, at two
 * places with two caches, and kept only when both have the same bytes. Nothing prebuilt is used.
 */
export type InsideProgramInput = {
  readonly sourceDir: string;
  readonly goroot: string;
  readonly toolchain: LockedToolchain;
  /**
   * Where built programs are kept, by digest of source and toolchain, each with a record of its own digest. Not the
   * store: that may come from a cache of somebody else's, and nothing there is believed but what a lock names.
   */
  readonly keepDir: string;
  /** For the two builds and for the copy that is used; removed by the caller. */
  readonly workDir: string;
  readonly watch?: Watch;
};

const recordSchema = z.strictObject({ sha256: sha256Schema });

/** Path of a private copy of the program, verified against its recorded digest; builds it where it is missing or damaged. */
export async function insideProgram(input: InsideProgramInput): Promise<string> {
  const sources = await readSources(input.sourceDir);
  const key = sha256Of(JSON.stringify([input.toolchain.h1, sources.map(({ name, text }) => [name, text])]));
  const program = join(input.keepDir, key);
  const kept = await takeKept(program, input.workDir);
  if (kept !== undefined) return kept;
  input.watch?.say?.("building the sandbox's own program from its source, twice; it is kept for the next time");
  const built = await Promise.allSettled(
    (["first", "the-second"] as const).map((place) => buildOnce(input, sources, place)),
  ); // neither writes on when the other's fault is thrown
  const failed = built.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const [first, second] = built.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (first === undefined || second === undefined || first.sha256 !== second.sha256) {
    throw new TwinsealError(
      "verdict",
      "INSIDE_DIFFERS",
      "building the sandbox's own program twice gave different bytes",
    );
  }
  await mkdir(input.keepDir, { recursive: true });
  await keep(first.path, program, first.sha256);
  return first.path;
}

type SourceFile = { readonly name: string; readonly text: string };

async function readSources(dir: string): Promise<readonly SourceFile[]> {
  const names = (await readdir(dir)).filter((name) => /^(go\.mod|.*\.go)$/.test(name) && !name.endsWith("_test.go"));
  return Promise.all(names.toSorted().map(async (name) => ({ name, text: await readFile(join(dir, name), "utf8") })));
}

/** Copied first and digested then: nobody can change it between the two. Undefined where it is missing or damaged. */
async function takeKept(program: string, workDir: string): Promise<string | undefined> {
  const copy = join(workDir, `inside-${randomUUID()}`);
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(`${program}.json`, "utf8")));
    await copyFile(program, copy);
    await chmod(copy, 0o755);
    return (await digestFile(copy)).sha256 === record.sha256 ? copy : undefined;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT" || error instanceof SyntaxError || error instanceof z.ZodError)
      return undefined;
    throw error;
  }
}

async function buildOnce(
  input: InsideProgramInput,
  sources: readonly SourceFile[],
  place: string,
): Promise<{ path: string; sha256: Sha256 }> {
  const base = join(input.workDir, "inside", place);
  const signal = input.watch?.signal;
  const source = join(base, "source");
  await mkdir(source, { recursive: true });
  for (const { name, text } of sources) await writeFile(join(source, name), text);
  const path = join(base, "inside");
  const argv = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", path, "."];
  const result = await runProcess([join(input.goroot, "bin/go"), ...argv], {
    cwd: source,
    env: {
      HOME: base,
      GOROOT: input.goroot,
      GOCACHE: join(base, "cache"),
      GOPATH: join(base, "gopath"),
      GOPROXY: "off",
      GOSUMDB: "off",
      GOTOOLCHAIN: "local",
      GOENV: "off",
      GOWORK: "off",
      CGO_ENABLED: "0",
      TMPDIR: base, // what a killed go command leaves goes with the working directory
    },
    timeoutMs: 600_000,
    ...(signal === undefined ? {} : { signal }),
  });
  if (signal?.aborted === true) throw interrupted();
  if (result.code !== 0) {
    throw new TwinsealError(
      "world",
      "INSIDE_NOT_BUILT",
      `building the sandbox's own program: ${result.stderr.trim()}`,
      {
        hint: "the pinned Go must be 1.18 or newer",
      },
    );
  }
  return { path, sha256: (await digestFile(path)).sha256 };
}

async function keep(from: string, to: string, sha256: Sha256): Promise<void> {
  const temporary = `${to}.${process.pid}`;
  await copyFile(from, temporary);
  await chmod(temporary, 0o755);
  await writeFile(`${to}.json`, JSON.stringify({ sha256 }));
  await rename(temporary, to);
}

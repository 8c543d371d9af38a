import { chmod, copyFile, mkdir, readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { digestFile, sha256Of, sha256Schema, type Sha256 } from "../digest.ts";
import { TwinsealError, systemCodeOf } from "../errors.ts";
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
  /** Where built programs are kept, by digest of source and toolchain. */
  readonly keepDir: string;
  /** Empty directory for the two builds; removed by the caller. */
  readonly workDir: string;
};

const recordSchema = z.strictObject({ sha256: sha256Schema });

/** Path of the executable program, verified against its recorded digest; builds it where it is missing or damaged. */
export async function insideProgram(input: InsideProgramInput): Promise<string> {
  const sources = await readSources(input.sourceDir);
  const key = sha256Of(JSON.stringify([input.toolchain.h1, sources.map(({ name, text }) => [name, text])]));
  const program = join(input.keepDir, key);
  if (await isIntact(program)) return program;
  const [first, second] = await Promise.all(
    (["first", "the-second"] as const).map((place) => buildOnce(input, sources, place)),
  );
  if (first === undefined || second === undefined || first.sha256 !== second.sha256) {
    throw new TwinsealError(
      "verdict",
      "INSIDE_DIFFERS",
      "building the sandbox's own program twice gave different bytes",
    );
  }
  await mkdir(input.keepDir, { recursive: true });
  await keep(first.path, program, first.sha256);
  return program;
}

type SourceFile = { readonly name: string; readonly text: string };

async function readSources(dir: string): Promise<readonly SourceFile[]> {
  const names = (await readdir(dir)).filter((name) => /^(go\.mod|.*\.go)$/.test(name) && !name.endsWith("_test.go"));
  return Promise.all(names.toSorted().map(async (name) => ({ name, text: await readFile(join(dir, name), "utf8") })));
}

async function isIntact(program: string): Promise<boolean> {
  try {
    const record = recordSchema.parse(JSON.parse(await readFile(`${program}.json`, "utf8")));
    return (await digestFile(program)).sha256 === record.sha256;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT" || error instanceof SyntaxError || error instanceof z.ZodError) return false;
    throw error;
  }
}

async function buildOnce(
  input: InsideProgramInput,
  sources: readonly SourceFile[],
  place: string,
): Promise<{ path: string; sha256: Sha256 }> {
  const base = join(input.workDir, "inside", place);
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
    },
    timeoutMs: 600_000,
  });
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

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runProgram, type Ended } from "../cli/program.ts";
import { readLock, testProxies, testStoreRoot } from "./toolchain.ts";

/** A small Go project with its own twinseal.yaml, and the real program run in it. */
export type Project = AsyncDisposable & {
  readonly dir: string;
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  readonly run: (argv: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Ended>;
};

export async function openProject(files: Readonly<Record<string, string>>): Promise<Project> {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-project-"));
  const write = async (more: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(more)) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), text);
    }
  };
  await write(files);
  const base = { CI: "true", TWINSEAL_CACHE: testStoreRoot(), GOPROXY: (await testProxies()).join(",") };
  return {
    dir,
    write,
    run: (argv, env = {}) => runProgram(argv, { cwd: dir, env: { ...base, ...env } }),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** A recipe of a working tree; the Go version is one that the tests have fetched anyway. */
export async function projectRecipe(more = ""): Promise<string> {
  const { go } = await readLock("node_exporter", "1.12.1");
  return `recipe: 1
name: tiny
source: {path: .}
go: "${go.version}"
targets: [linux/amd64, linux/arm64]
build:
  package: .
  ldflags: -s -w -buildid= -X main.version={version}
${more}`;
}

export const tinyMain = `package main

var version = "none"

func main() { println("tiny " + version) }
`;

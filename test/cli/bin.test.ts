import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, type TestContext } from "vitest";
import { runProcess } from "../../builder/process.ts";
import { binPath, packageRoot, runProgram } from "./program.ts";

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "twinseal-bin-"));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** A Node older than 24 that is installed on this machine, or the reason to skip. */
async function oldNode(ctx: TestContext): Promise<string> {
  for (const node of ["/usr/bin/node", "/usr/local/bin/node"]) {
    const version = await runProcess([node, "--version"], { env: {}, timeoutMs: 10_000 }).catch(() => undefined);
    const major = Number(/^v(\d+)/.exec(version?.stdout ?? "")?.[1]);
    if (major >= 20 && major < 24) return node;
  }
  return ctx.skip("no Node from 20 to 23 on this machine");
}

/** A package with a main of our own, installed where the test wants it. */
function packageAt(dir: string, main: { readonly path: string; readonly text: string }): string {
  mkdirSync(join(dir, "cli"), { recursive: true });
  cpSync(binPath, join(dir, "cli", "bin.js"));
  writeFileSync(join(dir, "package.json"), '{"type":"module","version":"9.9.9"}');
  mkdirSync(join(dir, main.path, ".."), { recursive: true });
  writeFileSync(join(dir, main.path), main.text);
  return join(dir, "cli", "bin.js");
}

describe("bin.js", () => {
  test("an older Node hands over to the one the project brings, with arguments and exit code", async (ctx) => {
    const node = await oldNode(ctx);
    const ended = await runProgram(["completion", "tcsh", "--json"], { node });
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout)).toMatchObject({ code: "USAGE" });
  });

  test("an older Node without the project's own says what to install and ends with 2", async (ctx) => {
    const node = await oldNode(ctx);
    const bin = packageAt(scratch, { path: "cli/main.ts", text: "" });
    const ended = await runProgram(["doctor"], { node, bin });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/^twinseal: this is Node .*not installed\nhint: run npm ci in /);
  });

  test("a signal to the older Node reaches the one it started, whose exit code it takes over", async (ctx) => {
    const node = await oldNode(ctx);
    const main = `export async function main() {
      const ended = new Promise((resolve) => process.on("SIGTERM", () => resolve(7)));
      const timer = setInterval(() => {}, 1000);
      console.log("ready");
      const code = await ended; clearInterval(timer); return code;
    }`;
    const bin = packageAt(scratch, { path: "cli/main.ts", text: main });
    mkdirSync(join(scratch, "node_modules"));
    cpSync(
      join(packageRoot, "node_modules", `node-linux-${process.arch}`),
      join(scratch, "node_modules", `node-linux-${process.arch}`),
      { recursive: true },
    );
    const child = spawn(node, [bin, "wait"], { stdio: ["ignore", "pipe", "inherit"] });
    const code = await new Promise((resolve) => {
      child.stdout.once("data", () => child.kill("SIGTERM"));
      child.on("exit", resolve);
    });
    expect(code).toBe(7);
  });

  test("below node_modules, where Node strips no types, the bundle is used", async () => {
    const dir = join(scratch, "node_modules", "twinseal");
    const bin = packageAt(dir, { path: "cli/main.ts", text: "throw new Error('source')" });
    mkdirSync(join(dir, "dist"));
    writeFileSync(join(dir, "dist", "cli.js"), "export const main = async () => { console.log('bundle'); return 0; };");
    expect(await runProgram(["doctor"], { bin })).toMatchObject({ code: 0, stdout: "bundle\n" });
  });

  test("--version starts at most twice as slowly as Node itself", async () => {
    const time = async (argv: readonly [string, ...string[]]) => {
      const started = performance.now();
      await runProcess(argv, { env: {}, timeoutMs: 30_000 });
      return performance.now() - started;
    };
    const ratios: number[] = [];
    for (let round = 0; round < 7; round++) {
      const plain = await time([process.execPath, "-e", "0"]);
      ratios.push((await time([process.execPath, binPath, "--version"])) / plain);
    }
    // The least disturbed round: other tests share the processors.
    expect(Math.min(...ratios)).toBeLessThan(2);
  });
});

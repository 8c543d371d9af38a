import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { describe, expect, test } from "vitest";
import { exitCodeOf } from "../../cli/exit.ts";
import { storeRootOf } from "../../cli/deps.ts";
import { assertStartable } from "../../cli/startable.ts";
import { TwinsealError } from "../../builder/errors.ts";
import { tellError } from "../../cli/voice.ts";
import { runProcess } from "../../builder/process.ts";
import { binPath, packageRoot, runProgram } from "./program.ts";

const manifest = z
  .looseObject({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")));

describe("the command line", () => {
  test("prints its version and nothing else", async () => {
    expect(await runProgram(["--version"])).toEqual({
      code: 0,
      signal: null,
      stdout: `${manifest.version}\n`,
      stderr: "",
    });
  });

  test("documents the exit codes in its help, and in each command's", async () => {
    for (const argv of [["--help"], ["doctor", "--help"]]) {
      const { code, stdout } = await runProgram(argv);
      expect(code).toBe(0);
      expect(stdout).toContain("4  alarm, evidence of tampering");
    }
  });

  test("suggests a command for a misspelt one and ends with 2", async () => {
    const { code, stdout, stderr } = await runProgram(["dokter"]);
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: "",
      stderr: "twinseal: unknown command 'dokter'\nhint: did you mean doctor?\n",
    });
  });

  test("suggests a flag for an unknown one and ends with 2", async () => {
    const { code, stderr } = await runProgram(["completion", "bash", "--jsno"]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: "twinseal: unknown option '--jsno'\nhint: did you mean --json?\n",
    });
  });

  test("refuses more arguments than a command takes, and none where one is needed", async () => {
    expect((await runProgram(["completion", "bash", "zsh"])).code).toBe(2);
    expect((await runProgram(["completion"])).code).toBe(2);
    expect((await runProgram([])).code).toBe(2);
  });

  test("with --json an error is one document with its code, and standard error is silent", async () => {
    const { code, stdout, stderr } = await runProgram(["dokter", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ code: "USAGE", exitCode: 2, hint: "did you mean doctor?" });
    expect(stderr).toBe("");
  });

  test("a reader that goes away is no failure", async () => {
    const pipe = await runProcess(
      ["bash", "--norc", "-c", 'set -o pipefail; "$0" "$1" --help | true', process.execPath, binPath],
      {
        env: { PATH: process.env["PATH"] ?? "" },
        timeoutMs: 30_000,
      },
    );
    expect(pipe.code).toBe(0);
    expect(pipe.stderr).not.toContain("EPIPE");
  });

  test("an argument after -- is not taken for --json", async () => {
    const { stderr } = await runProgram(["completion", "--", "--json"]);
    expect(stderr).toContain("--json");
  });
});

describe("errors", () => {
  test("each kind has its exit code, and what is unknown is the world's", () => {
    const kinds = ["verdict", "caller", "world", "alarm"] as const;
    expect(kinds.map((kind) => exitCodeOf(new TwinsealError(kind, "X", "x")))).toEqual([1, 2, 3, 4]);
    expect(exitCodeOf(new Error("surprise"))).toBe(3);
    expect(exitCodeOf("thrown text")).toBe(3);
  });

  test("an unforeseen error says that it is no verdict", () => {
    expect(tellError(new Error("surprise"))).toMatchObject({
      code: "UNEXPECTED",
      hint: expect.stringContaining("not a verdict"),
    });
  });

  test("a Node that is too old is named with what to do", () => {
    expect(() => assertStartable({ versions: { node: "22.1.0" } })).toThrow(/this is Node 22.1.0/);
    expect(() => assertStartable({ versions: { node: "24.0.0" } })).not.toThrow();
  });
});

test("the store lies where the user says, else where XDG says, else in the home", () => {
  expect(storeRootOf({ TWINSEAL_CACHE: "/a", XDG_CACHE_HOME: "/b", HOME: "/c" })).toBe("/a");
  expect(storeRootOf({ XDG_CACHE_HOME: "/b", HOME: "/c" })).toBe("/b/twinseal");
  expect(storeRootOf({ XDG_CACHE_HOME: "relative", HOME: "/c" })).toBe("/c/.cache/twinseal");
});

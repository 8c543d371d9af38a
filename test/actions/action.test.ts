import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { annotationOf } from "../../actions/annotation.ts";
import { inputsToArgv, readCommand } from "../../actions/inputs.ts";
import { outputsOf } from "../../actions/outputs.ts";
import { runAction } from "../../actions/run.ts";
import { renderSummary } from "../../actions/summary.ts";
import type { Outcome } from "../../cli/json.ts";
import { packageRoot } from "../cli/program.ts";

const reader = (inputs: Readonly<Record<string, string>>) => (name: string) => inputs[name] ?? "";
const command = () =>
  new Command("build").argument("[spec]").option("--target <platform>").option("--all-targets").option("--out <dir>");

const matched: Outcome = {
  exitCode: 0,
  code: "match",
  document: {
    reportPath: "/w/report.json",
    htmlPath: "/w/report.html",
    folder: "/w",
    report: {
      name: "app",
      version: "1.2.3",
      verdict: "match",
      targets: [
        {
          platform: "linux/amd64",
          verdict: "match",
          artifacts: [{ name: "app-v1.2.3-linux-amd64", sha256: "a".repeat(64), sizeBytes: 12 }],
          dimensions: [
            { id: "user", a: "1000", b: "<b>4242</b>", varied: true },
            { id: "cpu-model", a: "x", b: "x", varied: false, reason: "the same processor" },
          ],
        },
      ],
    },
  },
};

describe("inputs", () => {
  test("become the command line that a person would write", () => {
    const read = reader({
      recipe: "app@1.2.3",
      target: "linux/amd64\nlinux/arm64",
      "all-targets": "false",
      out: "made here",
    });
    expect(inputsToArgv(command(), read)).toEqual([
      "--target=linux/amd64",
      "--target=linux/arm64",
      "--out=made here",
      "--",
      "app@1.2.3",
    ]);
  });

  test("that look like flags stay values", () => {
    const read = reader({ recipe: "--json", out: "--all-targets" });
    expect(inputsToArgv(command(), read)).toEqual(["--out=--all-targets", "--", "--json"]);
  });

  test("a switch that is neither true nor false is the caller's mistake", () => {
    expect(() => inputsToArgv(command(), reader({ "all-targets": "yes" }))).toThrow(/neither true nor false/);
  });

  test("an unknown command is refused with those there are", () => {
    expect(() => readCommand(reader({ command: "bild" }))).toThrow(/"bild" is no command/);
  });
});

describe("what the runner is told", () => {
  test("outputs hold verdict, paths and the digest of what matched", () => {
    expect(outputsOf(matched)).toMatchObject({
      verdict: "match",
      report: "/w/report.json",
      folder: "/w",
      sha256: "a".repeat(64),
    });
  });

  test("a mismatch has no digest that anyone could build on", () => {
    const report = structuredClone(matched.document?.["report"]) as { targets: { verdict: string }[] };
    for (const target of report.targets) target.verdict = "mismatch";
    expect(outputsOf({ exitCode: 1, code: "mismatch", document: { report } })).toMatchObject({
      sha256: "",
      artifacts: "[]",
    });
  });

  test("the summary starts with the verdict, counts the dimensions and escapes what it shows", () => {
    const summary = renderSummary(matched);
    expect(summary).toMatch(/^## twinseal: app 1.2.3: match\n/);
    expect(summary).toContain("linux/amd64: 1 of 2 dimensions varied");
    expect(summary).toContain("&lt;b&gt;4242&lt;/b&gt;");
    expect(summary).toContain("the same processor");
  });

  test("an error in a recipe is annotated at its line", () => {
    const outcome: Outcome = {
      exitCode: 2,
      code: "RECIPE_INVALID",
      document: { message: "/w/twinseal.yaml:4:7: unknown key golang", hint: "write go" },
    };
    expect(annotationOf(outcome, "/w")).toEqual({
      message: "/w/twinseal.yaml:4:7: unknown key golang\nhint: write go",
      properties: { title: "twinseal: RECIPE_INVALID", file: "twinseal.yaml", startLine: 4, startColumn: 7 },
    });
    expect(annotationOf(matched, "/w")).toBeUndefined();
  });
});

describe("the Action's door", () => {
  const world = (inputs: Readonly<Record<string, string>>) => {
    let text = "";
    return {
      text: () => text,
      value: {
        read: reader(inputs),
        env: { HOME: "/nowhere", TWINSEAL_CACHE: "/nowhere/store" },
        cwd: packageRoot,
        packageRoot,
        toolVersion: "0",
        signal: new AbortController().signal,
        write: (part: string) => void (text += part),
      },
    };
  };

  test("runs the same command module as the terminal", async () => {
    const { value, text } = world({ command: "doctor" });
    const outcome = await runAction(value);
    expect(outcome.document).toHaveProperty("findings");
    expect(text()).toContain("user namespaces");
  });

  test("a mistake is an outcome with the CLI's exit code", async () => {
    expect(await runAction(world({ command: "nonsense" }).value)).toMatchObject({ exitCode: 2, code: "INPUT_INVALID" });
  });
});

import { describe, expect, test } from "vitest";
import { createProgress } from "../../cli/progress.ts";
import { clock, estimateLeftMs, fetchLine } from "../../cli/progress-lines.ts";

function harness(isTty: boolean, env: Record<string, string> = {}) {
  let text = "";
  let nowMs = 0;
  const progress = createProgress({
    stream: { write: (part) => (text += part) },
    isTty,
    columns: () => 80,
    env,
    now: () => nowMs,
  });
  return { progress, text: () => text, wait: (ms: number) => (nowMs += ms) };
}

/** What a terminal shows after the given output: enough of VT100 for our renderer. */
function screen(output: string): readonly string[] {
  const lines: string[] = [""];
  let row = 0;
  for (const part of output.split(/(\x1b\[\d*[AJm]|\r|\n)/)) {
    if (/^\x1b\[\d+A$/.test(part)) row -= Number(part.slice(2, -1));
    else if (part === "\x1b[J") lines.splice(row, lines.length, "");
    else if (part === "\n") {
      row += 1;
      lines[row] ??= "";
    } else if (part !== "\r" && !part.startsWith("\x1b")) lines[row] = (lines[row] ?? "") + part;
  }
  return lines.filter((line) => line !== "");
}

describe("on a terminal", () => {
  test("two lanes are two lines, however often they change", () => {
    const { progress, text, wait } = harness(true, { NO_COLOR: "1" });
    for (let compiled = 0; compiled <= 100; compiled += 10) {
      wait(1000);
      progress.lane("linux/amd64", "a", { phase: "compiling", compiled, total: 100, writtenBytes: 5e6 });
      progress.lane("linux/amd64", "b", { phase: "compiling", compiled: compiled / 2, total: 100, writtenBytes: 5e6 });
    }
    progress.close();
    expect(screen(text())).toEqual([
      expect.stringMatching(/^linux\/amd64 A {2}compiling +100\/100 packages {2}5.0 MB {2}0:10/),
      expect.stringMatching(/^linux\/amd64 B {2}compiling +50\/100 packages {2}5.0 MB {2}0:10, about 0:1\d left/),
    ]);
  });

  test("a line that stays stands above the lanes", () => {
    const { progress, text } = harness(true);
    progress.lane("linux/amd64", "a", { phase: "compiling", compiled: 0, total: 9, writtenBytes: 5e6 });
    progress.line("fetched 3 files");
    progress.close();
    expect(screen(text())).toEqual(["fetched 3 files", expect.stringContaining("linux/amd64 A")]);
  });

  test("no line is as wide as the terminal, since one that wraps could not be erased", () => {
    const { progress, text } = harness(true, { NO_COLOR: "1" });
    progress.fetch({ label: "m".repeat(300), doneBytes: 1, totalBytes: 2, doneFiles: 1, totalFiles: 2 });
    progress.close();
    expect(screen(text())[0]?.length).toBeLessThan(80);
  });

  test("control characters in a label do not reach the terminal", () => {
    const { progress, text } = harness(true);
    progress.fetch({ label: "\x1b]0;owned\x07", doneBytes: 1, totalBytes: 2, doneFiles: 1, totalFiles: 2 });
    progress.close();
    expect(text()).not.toContain("\x1b]");
  });

  test("nothing that must be undone is ever switched on, so Ctrl-C leaves a working terminal", () => {
    const { progress, text } = harness(true);
    progress.lane("linux/amd64", "a", { phase: "compiling", compiled: 0, total: 9, writtenBytes: 5e6 });
    progress.close();
    progress.close();
    progress.line("after the end");
    expect(text()).not.toMatch(/\x1b\[\?|\x1b7|\x1bc/);
    expect(text()).not.toContain("after the end");
    expect(text().endsWith("\n")).toBe(true);
  });

  test("NO_COLOR is respected", () => {
    for (const [env, coloured] of [
      [{}, true],
      [{ NO_COLOR: "1" }, false],
      [{ NO_COLOR: "" }, true],
    ] as const) {
      const { progress, text } = harness(true, env);
      progress.lane("linux/amd64", "a", { phase: "compiling", compiled: 0, total: 9, writtenBytes: 5e6 });
      progress.close();
      expect(/\x1b\[1m/.test(text())).toBe(coloured);
    }
  });
});

describe("in CI", () => {
  test("a lane is one line for each phase and else one in ten seconds", () => {
    const { progress, text, wait } = harness(false);
    for (let compiled = 0; compiled < 1000; compiled++) {
      progress.lane("linux/amd64", "a", { phase: "compiling", compiled, total: 1000, writtenBytes: 5e6 });
      wait(25);
    }
    progress.lane("linux/amd64", "a", { phase: "linking", compiled: 1000, total: 1000, writtenBytes: 5e6 });
    progress.close();
    const lines = text().trimEnd().split("\n");
    expect(lines).toHaveLength(4); // at 0, 10 and 20 s, and the link
    expect(text()).not.toContain("\x1b");
  });
});

test("the estimate waits until something is known and shrinks to the link", () => {
  expect(estimateLeftMs(3, 300, 1000)).toBeUndefined();
  expect(estimateLeftMs(0, 0, 1000)).toBeUndefined();
  const half = estimateLeftMs(150, 300, 10_000) ?? 0;
  expect(half).toBeGreaterThan(10_000);
  expect(estimateLeftMs(300, 300, 20_000) ?? 0).toBeLessThan(half);
});

test("times and bytes are written for people", () => {
  expect([clock(0), clock(61_000), clock(3_661_000)]).toEqual(["0:00", "1:01", "1:01:01"]);
  expect(fetchLine({ label: "go", doneBytes: 1_500_000, totalBytes: 3_000_000, doneFiles: 1, totalFiles: 2 })).toBe(
    "fetching 1/2 files  1.5 of 3.0 MB  go",
  );
});

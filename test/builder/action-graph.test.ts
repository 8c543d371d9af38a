import { describe, expect, it } from "vitest";
import { hostTuned, parseActionGraph } from "../../builder/action-graph.ts";

const graphWith = (...lines: readonly string[]) =>
  parseActionGraph(JSON.stringify([{ ID: 0, Mode: "build", Package: "example.test/c", Cmd: lines }]));

describe("code for the processor of the machine that builds", () => {
  it.each([
    ["gcc -I . -O2 -g -march=native -o x.o -c x.c", "-march=native"],
    ["gcc -mtune=native -c x.c", "-mtune=native"],
    ['g++ "-mcpu=native" -c x.cc', "-mcpu=native"],
    ["gcc -c x.c -march=native", "-march=native"],
  ])("is found in %s", (line, flag) => {
    expect(hostTuned(graphWith("echo", line))).toEqual({ package: "example.test/c", flag });
  });

  it("is not seen where a level is stated, or in a word that only begins alike", () => {
    expect(hostTuned(graphWith("gcc -march=x86-64-v2 -c x.c", "gcc -DX=-march=natively -c x.c"))).toBeUndefined();
  });
});

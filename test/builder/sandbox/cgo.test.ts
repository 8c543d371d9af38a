import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { makeDebianRootfs } from "../../../builder/inputs/debian-rootfs.ts";
import { rootfsTree } from "../../../builder/inputs/rootfs.ts";
import { hostSuite, lackOfCompiler, pinCompiler } from "../../support/compiler.ts";
import { openToolchain } from "../../support/toolchain.ts";
import { openTwinBench, type TwinBench, type TwinOptions } from "../../support/twin.ts";

/** A real pinned gcc; without apt or a mirror there is none, and each test says so. */
let bench: TwinBench | undefined;
let lack: string | undefined;
beforeAll(async () => {
  lack = await lackOfCompiler();
  if (lack !== undefined) return;
  const toolchain = await openToolchain();
  const { store } = toolchain;
  const locked = await pinCompiler(store, await hostSuite(), ["gcc", "libc6-dev"]);
  const rootfsDir = await rootfsTree(store, locked.rootfs, (dir) => makeDebianRootfs(store, locked.packages, dir));
  bench = await openTwinBench(toolchain, [], { rootfsDir });
}, 600_000);
afterAll(async () => bench?.[Symbol.asyncDispose]());

async function build(context: TestContext, options: TwinOptions) {
  if (bench === undefined) return context.skip(lack);
  return bench.build({ cgo: true, ...options });
}

/** A Go program that prints what a C expression says; `preamble` is above it, `flags` are its #cgo lines. */
function program(expression: string, preamble = "", flags: readonly string[] = []): string {
  const lines = [
    ...flags.map((flag) => `#cgo ${flag}`),
    preamble,
    `static const char *say(void) { return ${expression}; }`,
  ];
  return `package main\n\n${lines
    .filter((line) => line !== "")
    .map((line) => `// ${line}\n`)
    .join("")}import "C"\n\nfunc main() { println(C.GoString(C.say())) }\n`;
}

/** A program for a step before the build. */
function generator(imports: readonly string[], lines: readonly string[]): Readonly<Record<string, string>> {
  const needed = imports.map((one) => JSON.stringify(one)).join("; ");
  return { "gen/main.go": `package main\n\nimport (${needed})\n\nfunc main() {\n${lines.join("\n")}\n}\n` };
}

describe("a program with C in it", () => {
  it("matches, from a compiler that lies at another place than the host's and whose path the plan states", async (context) => {
    const { runs, comparison } = await build(context, { main: program('"hello"') });
    expect(runs.a.outcome, runs.a.failure?.excerpt.join("\n")).toBe("built");
    expect(runs.b.packages.compiled).toBe(runs.b.packages.total);
    expect(runs.a.plan).toMatchObject({
      steps: expect.arrayContaining([
        expect.objectContaining({ env: expect.objectContaining({ CC: "/usr/bin/gcc" }) }),
      ]),
    });
    expect((await comparison()).verdict).toBe("match");
  });

  it("is a mismatch where it writes down when it was compiled, unless the lock says what time it is", async (context) => {
    const main = program('__DATE__ " " __TIME__');
    expect((await (await build(context, { main })).comparison()).verdict).toBe("mismatch");
    const dated = await build(context, { main, sourceDateEpoch: 1_600_000_000 });
    expect((await dated.comparison()).verdict).toBe("match");
  });

  it("matches where a header knows its own path, since go gives gcc another name for it", async (context) => {
    const { runs, comparison } = await build(context, {
      main: program("where", '#include "where.h"', ["CFLAGS: -I${SRCDIR}/include"]),
      sources: { "include/where.h": "static const char *where = __FILE__;\n" },
    });
    expect(runs.a.outcome).toBe("built");
    expect((await comparison()).verdict).toBe("match");
  });

  it("is a mismatch with a run path of the source", async (context) => {
    const { comparison } = await build(context, {
      main: program('"hello"', "", ["LDFLAGS: -Wl,-rpath,${SRCDIR}"]),
    });
    expect((await comparison()).verdict).toBe("mismatch");
  });

  it.for([
    ["mismatch", "the random name of a temporary file", "file.Name()"],
    ["match", "a name that is always the same", '"object.o"'],
  ] as const)("is a %s with %s in an object", async ([verdict, , name], context) => {
    const { runs, comparison } = await build(context, {
      before: ["go", "run", "./gen"],
      main: program("TEMPORARY", '#include "temporary.h"'),
      sources: generator(
        ["fmt", "os"],
        [
          'file, _ := os.CreateTemp("", "object-*.o")',
          "file.Close()",
          `os.WriteFile("temporary.h", []byte(fmt.Sprintf("#define TEMPORARY %q\\n", ${name})), 0o644)`,
        ],
      ),
    });
    expect(runs.a.outcome, runs.a.failure?.excerpt.join("\n")).toBe("built");
    expect((await comparison()).verdict).toBe(verdict);
  });

  it.for([
    ["mismatch", "another archive", 'len(os.Getenv("HOME"))%2 == 1'], // A is at home in another place than B
    ["match", "the same archive", "false"],
  ] as const)("is a %s where %s of the same name is linked", async ([verdict, , another], context) => {
    const { runs, comparison } = await build(context, {
      before: ["go", "run", "./gen"],
      main: program("stored()", "const char *stored(void);", ["LDFLAGS: ${SRCDIR}/libstored.a"]),
      sources: generator(
        ["os", "os/exec"],
        [
          'source := "const char *stored(void) { return \\"one\\"; }\\n"',
          `if ${another} { source = "const char *stored(void) { return \\"two\\"; }\\n" }`,
          'os.WriteFile("gen/stored.c", []byte(source), 0o644)',
          'for _, argv := range [][]string{{"gcc", "-c", "-o", "gen/stored.o", "gen/stored.c"}, {"ar", "rcsD", "libstored.a", "gen/stored.o"}} {',
          '  if text, err := exec.Command("/usr/bin/"+argv[0], argv[1:]...).CombinedOutput(); err != nil { panic(string(text)) }',
          "}",
        ],
      ),
    });
    expect(runs.a.outcome, runs.a.failure?.excerpt.join("\n")).toBe("built");
    expect((await comparison()).verdict).toBe(verdict);
  });

  it("is refused, by name, when it is tuned for the processor of this machine", async (context) => {
    const { comparison } = await build(context, { main: program('"hello"', "", ["CFLAGS: -march=native"]) });
    await expect(comparison()).rejects.toMatchObject({
      code: "HOST_TUNED",
      message: expect.stringContaining("example.test/program is compiled with -march=native"),
    });
  });

  it("does not build with link time optimisation, whose names are random: go refuses the flag by name", async (context) => {
    const { runs, comparison } = await build(context, {
      main: program('"hello"', "", ["CFLAGS: -flto=auto", "LDFLAGS: -flto=auto"]),
    });
    for (const run of [runs.a, runs.b])
      expect(run.failure?.excerpt.join("\n")).toContain("invalid flag in #cgo CFLAGS: -flto=auto");
    await expect(comparison()).rejects.toMatchObject({ code: "BUILD_FAILED" });
  });
});

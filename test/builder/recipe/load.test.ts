import { describe, expect, test } from "vitest";
import { TwinsealError } from "../../../builder/errors.ts";
import { parseRecipe } from "../../../builder/recipe/load.ts";
import { ownedVariables } from "../../../builder/recipe/build-schema.ts";
import { sampleWith, sampleYaml } from "./sample.ts";

/** The message of the error that a recipe gives. */
function complaint(text: string): string {
  try {
    parseRecipe(text, "r.yaml");
  } catch (error) {
    if (!(error instanceof TwinsealError)) throw error;
    expect([error.kind, error.code]).toEqual(["caller", "RECIPE_INVALID"]);
    return error.message;
  }
  throw new Error("the recipe was accepted");
}

describe("a good recipe", () => {
  test("is read", () => {
    expect(parseRecipe(sampleYaml, "r.yaml")).toMatchObject({ name: "app", go: "1.25.7", targets: ["linux/amd64"] });
  });

  test("may begin with a byte order mark and have Windows line ends", () => {
    expect(parseRecipe(`\uFEFF${sampleYaml.replaceAll("\n", "\r\n")}`, "r.yaml").name).toBe("app");
  });

  test("may hold braces that are no placeholder in what it expects to be printed", () => {
    const text = `${sampleYaml}check: {run: [version], prints: '{"version": "{version}"}'}\n`;
    expect(parseRecipe(text, "r.yaml").check?.prints).toBe('{"version": "{version}"}');
  });
});

describe("a wrong recipe says where, what, and what to write instead", () => {
  const source = "{module: example.com/app}";
  const cases: readonly (readonly [string, string, string])[] = [
    [
      "a number where a version belongs",
      sampleWith('"1.25.7"', "1.20"),
      'r.yaml:4:5: go is a number here; write it in quotes: go: "1.20"',
    ],
    [
      "a version that is none",
      sampleWith('"1.25.7"', "latest"),
      'r.yaml:4:5: go is neither auto nor a Go release; write for example go: "1.25.7"',
    ],
    ["an unknown key", `${sampleYaml}chek: {}\n`, 'r.yaml:9:1: unknown key "chek"; did you mean check?'],
    [
      "an unknown key deep inside",
      sampleWith("ldflags:", "ldflag:"),
      'r.yaml:8:3: unknown key "ldflag" in build; did you mean ldflags?',
    ],
    [
      "an unknown key that resembles none",
      `${sampleYaml}allow: {everything: yes please}\n`,
      'r.yaml:9:9: unknown key "everything" in allow; known keys: date',
    ],
    ["a duplicate key", `${sampleYaml}name: other\n`, "r.yaml:9:1: this key is there twice; keep one of them"],
    [
      "a duplicate key deep inside",
      `${sampleYaml}check: {run: [a], prints: a, run: [b]}\n`,
      "r.yaml:9:30: this key is there twice; keep one of them",
    ],
    [
      "a tag with a shell character",
      sampleWith(source, '{git: https://h/r, tag: "v{version}; rm"}'),
      "r.yaml:3:33: source.tag holds a character that has no place in a tag",
    ],
    [
      "a tag without version",
      sampleWith(source, "{git: https://h/r, tag: v1}"),
      'r.yaml:3:33: source.tag must hold {version}, for example "v{version}"',
    ],
    [
      "a tag that looks like a flag",
      sampleWith(source, '{git: https://h/r, tag: "--x={version}"}'),
      "r.yaml:3:33: source.tag holds a character",
    ],
    [
      "a misspelt key of the source that was meant",
      sampleWith(source, '{git: https://h/r, tagg: "v{version}"}'),
      'r.yaml:3:28: unknown key "tagg" in source; did you mean tag?',
    ],
    [
      "a misspelt kind of source",
      sampleWith(source, "{modul: example.com/app}"),
      'r.yaml:3:10: unknown key "modul" in source; did you mean module?',
    ],
    [
      "two kinds of source",
      sampleWith(source, "{path: ., module: example.com/app}"),
      "r.yaml:3:10: source has module and path; keep one of them",
    ],
    ["no kind of source", sampleWith(source, "{}"), "r.yaml:3:9: source has none of git, module, path"],
    ["a source that is a word", sampleWith(source, "github"), "r.yaml:3:9: source must say where the code comes from"],
    [
      "a package above the tree",
      sampleWith("./cmd/app", "./cmd/../../x"),
      "r.yaml:7:12: build.package must stay inside the tree; write it without ..",
    ],
    [
      "an absolute package",
      sampleWith("./cmd/app", "/cmd/app"),
      "r.yaml:7:12: build.package must be . or start with ./; write for example ./cmd/app",
    ],
    [
      "an absolute file",
      sampleWith("package: ./cmd/app", "file: /etc/passwd"),
      "r.yaml:7:9: build.file must be relative; write it without the leading /",
    ],
    [
      "a file that is a flag of go build",
      sampleWith("package: ./cmd/app", "file: -toolexec=x"),
      "r.yaml:7:9: build.file must not look like a flag; write ./ in front",
    ],
    [
      "a directory above the source",
      sampleWith(source, "{module: example.com/app, dir: ../x}"),
      "r.yaml:3:40: source.dir must stay inside the tree",
    ],
    [
      "package and file",
      sampleWith("package: ./cmd/app", "package: .\n  file: a.go"),
      "r.yaml:7:3: build needs either `package` or `file`",
    ],
    [
      "cgo without a compiler",
      sampleWith("./cmd/app", ".\n  cgo: true"),
      "r.yaml:8:8: build.cgo needs a pinned C compiler; add compiler: {debian: trixie, packages: [gcc, libc6-dev]}",
    ],
    [
      "cgo for a system whose C toolchain nobody can pin",
      sampleWith(
        "[linux/amd64]\nbuild:",
        "[linux/amd64, darwin/arm64]\ncompiler: {debian: trixie, packages: [gcc]}\nbuild:\n  cgo: true",
      ),
      "r.yaml:5:24: targets[1] needs the C toolchain of its maker for cgo, which cannot be pinned; write perTarget: {darwin/arm64: {cgo: false}}, or remove it",
    ],
    [
      "a compiler that nothing uses",
      sampleWith("build:", "compiler: {debian: trixie, packages: [gcc]}\nbuild:"),
      "r.yaml:6:11: compiler is there and no build uses C; add cgo: true to `build`, or remove it",
    ],
    [
      "an image by its tag",
      sampleWith("build:", "compiler: {image: docker.io/library/gcc:14}\nbuild:"),
      "r.yaml:6:19: compiler.image must name registry, image and digest",
    ],
    [
      "a compiler set by a variable",
      sampleWith("./cmd/app", ".\n  env: {CC: clang}"),
      "r.yaml:8:13: build.env.CC is a variable that twinseal sets itself; remove it",
    ],
    [
      "a file at a place of the sandbox that is none for files",
      sampleWith(
        "targets:",
        `files: [{url: "https://example.test/x", sha256: "${"a".repeat(64)}", to: /etc/x}]\ntargets:`,
      ),
      "files[0].to must be relative to the source tree, or below /usr/lib, /usr/include or /usr/local's",
    ],
    [
      "an unknown platform",
      sampleWith("[linux/amd64]", "[linux/amd46]"),
      'r.yaml:5:11: targets[0] cannot be "linux/amd46"; did you mean linux/amd64?',
    ],
    [
      "one platform instead of a list",
      sampleWith("[linux/amd64]", "linux/amd64"),
      "r.yaml:5:10: targets must be a list, and is text; write targets: [linux/amd64]",
    ],
    [
      "a platform twice",
      sampleWith("[linux/amd64]", "[linux/amd64, linux/amd64]"),
      "r.yaml:5:10: targets names a platform twice",
    ],
    [
      "a step written as one line",
      `${sampleYaml}before: [go run ./gen]\n`,
      "r.yaml:9:10: before[0] must be a list, and is text; write [go, run, ./gen]",
    ],
    [
      "an unknown placeholder",
      sampleWith("{version}", "{verison}"),
      "r.yaml:8:12: build.ldflags holds the unknown {verison}; known are {version} {commit} {commitDate} {tags}",
    ],
    [
      "a commit that a module proxy does not prove",
      sampleWith("{version}", "{commit}"),
      "r.yaml:8:12: build.ldflags {commit} is unknown with a module source; a module proxy does not prove a commit",
    ],
    [
      "a commit in what is printed",
      `${sampleYaml}check: {run: [], prints: "{commit}"}\n`,
      "r.yaml:9:26: check.prints {commit} is unknown with a module source",
    ],
    ["a missing key", sampleWith("name: app\n", ""), "r.yaml:1:1: name is missing; add name:"],
    [
      "a key without value",
      sampleWith("name: app", "name:"),
      "r.yaml:2:6: name is empty; write its value after the colon",
    ],
    [
      "another version of the format",
      sampleWith("recipe: 1", "recipe: 2"),
      'r.yaml:1:9: recipe cannot be "2"; write 1',
    ],
    [
      "a target's keys for no target",
      `${sampleYaml}perTarget: {darwin/arm64: {tags: [a]}}\n`,
      "r.yaml:9:27: perTarget.darwin/arm64 is no target of this recipe; add it to `targets` or remove it",
    ],
    [
      "a target's file beside the general package",
      `${sampleYaml}perTarget: {linux/amd64: {file: a.go}}\n`,
      "r.yaml:9:26: perTarget.linux/amd64 ends up with both `package` and `file`",
    ],
    [
      "a dimension that is none",
      `${sampleYaml}fix: {tmie: "it asks the oracle"}\n`,
      'r.yaml:9:7: unknown key "tmie" in fix; did you mean time?',
    ],
    [
      "a reason that is none",
      `${sampleYaml}fix: {time: "x"}\n`,
      "r.yaml:9:13: fix.time needs a reason of at least 8 characters",
    ],
    [
      "a file's digest cut short",
      `${sampleYaml}files: [{url: "https://h/f", sha256: abc, to: f}]\n`,
      "r.yaml:9:38: files[0].sha256: a sha256 is 64 lower-case hex digits",
    ],
    [
      "a tab",
      sampleWith("  package", "\tpackage"),
      "r.yaml:7:1: wrong YAML: tabs are not allowed as indentation; indent with spaces",
    ],
    ["an open bracket", sampleWith("[linux/amd64]", "[linux/amd64"), "r.yaml:6:1: wrong YAML:"],
    ["a second document", `${sampleYaml}---\nname: b\n`, "r.yaml:10:1: a second YAML document begins here"],
    ["an anchor", sampleWith("name: app", "name: &n app"), "the anchor &n is not allowed"],
    [
      "an alias",
      sampleWith("name: app", "name: &n app\ndescription: *n"),
      "r.yaml:3:14: the alias *n is not allowed; write the value out",
    ],
    ["a merge key", `${sampleYaml}<<: {go: auto}\n`, "r.yaml:9:1: a merge key is not allowed; write the keys out"],
    ["a tag of YAML", sampleWith('"1.25.7"', "!!str 1.20"), "is not allowed; remove it, or put text in quotes"],
    ["a directive", `%YAML 1.1\n---\n${sampleYaml}`, "r.yaml:1:1: a % directive is not allowed; remove it"],
    ["a key that is a number", `${sampleYaml}1: x\n`, "r.yaml:9:1: a key must be text; put it in quotes"],
    [
      "the key __proto__",
      `${sampleYaml}__proto__: {go: auto}\n`,
      "r.yaml:9:1: __proto__ is no key of a recipe; remove it",
    ],
    ["an empty file", "", "r.yaml:1:1: the file is empty"],
    ["a file of comments", "# nothing\n", "r.yaml:1:1: the file is empty"],
    ["a list", "- a\n", "r.yaml:1:1: the recipe must be keys and values, and is a list"],
    ["a file nested without end", "[".repeat(200_000), "r.yaml:1:1: the file is nested too deeply"],
    ["more than 1 MiB", `${sampleYaml}#${"x".repeat(1 << 20)}`, "r.yaml:1:1: the file is larger than 1 MiB"],
  ];
  test.each(cases)("%s", (_name, text, expected) => {
    expect(complaint(text)).toContain(expected);
  });

  test.each(["report.json", "report.html", "linux-amd64"])(
    "an output %s, which the release folder has itself",
    (name) => {
      expect(complaint(sampleWith("build:", `outputs: [{from: a, name: ${name}}]\nbuild:`))).toContain(
        "is what the release folder itself has",
      );
    },
  );

  test.each(ownedVariables)("the variable %s, which twinseal sets itself", (name) => {
    const message = complaint(sampleWith("./cmd/app", `.\n  env: {GOEXPERIMENT: none, ${name}: x}`));
    expect(message).toContain(
      `r.yaml:8:${31 + name.length}: build.env.${name} is a variable that twinseal sets itself; remove it`,
    );
  });
});

test("all problems of a file are listed at once, in its order, each once", () => {
  const text = sampleWith("name: app", "nmae: app").replace("./cmd/app", "/app").replace("linux/amd64", "linus/amd64");
  expect(complaint(text).split("\n")).toEqual([
    "r.yaml:1:1: name is missing; add name:",
    'r.yaml:2:1: unknown key "nmae"; did you mean name?',
    'r.yaml:5:11: targets[0] cannot be "linus/amd64"; did you mean linux/amd64?',
    "r.yaml:7:12: build.package must be . or start with ./; write for example ./cmd/app",
  ]);
});

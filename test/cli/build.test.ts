import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, cp, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readHost } from "../../builder/host.ts";
import { reportSchema } from "../../builder/report.ts";
import { openProject, projectRecipe, tinyMain, type Project } from "../support/project.ts";
import { openToolchain, testStoreRoot } from "../support/toolchain.ts";
import { binPath, type Ended } from "./program.ts";

/** Pinned once, for real; each test changes what it needs and puts the sources back. */
let project: Project;
let sources: Readonly<Record<string, string>>;
const platform = readHost().platform;
const artifact = `tiny-v1.0.0-${platform.replace("/", "-")}`;
const folder = "twinseal-out/tiny-v1.0.0";

beforeAll(async () => {
  await openToolchain();
  sources = {
    "twinseal.yaml": await projectRecipe('check: {run: [], prints: "tiny {version}"}\n'),
    "go.mod": "module example.test/tiny\n\ngo 1.21\n",
    "main.go": tinyMain,
  };
  project = await openProject(sources);
  const pinned = await project.run(["pin", "tiny@1.0.0"]);
  expect(pinned.code, pinned.stderr).toBe(0);
}, 600_000);
afterAll(async () => project?.[Symbol.asyncDispose]());

async function fresh(change: Readonly<Record<string, string>> = {}): Promise<void> {
  await rm(join(project.dir, "twinseal-out"), { recursive: true, force: true });
  await project.write({ ...sources, ...change });
}

const nothingWritten = () => expect(existsSync(join(project.dir, "twinseal-out"))).toBe(false);
const jsonOf = (ended: Ended) => JSON.parse(ended.stdout) as { code: string; exitCode: number; message?: string };
const here = (name: string) => join(project.dir, folder, name);

describe("twinseal build", () => {
  it("ends with the artifact, both reports and one verdict line", async () => {
    await fresh();
    const ended = await project.run(["build"]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toBe("");
    const report = reportSchema.parse(JSON.parse(await readFile(here("report.json"), "utf8")));
    const [target] = report.targets;
    expect(report.verdict).toBe("match");
    expect(report.local).toBe(true);
    expect(target?.check).toMatchObject({ ran: true, passed: true });
    expect(ended.stderr).toMatch(
      new RegExp(
        `tiny 1\\.0\\.0  ${platform}  match  sha256 ${target?.artifacts[0]?.sha256 ?? "?"}.*\\d+ of \\d+ dimensions varied`,
      ),
    );
    expect(existsSync(here(artifact))).toBe(true);
    expect(await readFile(here("report.html"), "utf8")).toContain("<!doctype html>");
  });

  it("speaks JSON, and agrees with itself when built again, sequentially, for another platform", async () => {
    await fresh();
    const other = platform === "linux/amd64" ? "linux/arm64" : "linux/amd64";
    const first = jsonOf(
      await project.run(["build", "--json", "--offline", "--target", platform, "--target", other]),
    ) as unknown as { report: { targets: { artifacts: { sha256: string }[]; platform: string }[] } };
    const second = jsonOf(
      await project.run(["build", "--json", "--offline", "--sequential", "--all-targets"]),
    ) as unknown as typeof first;
    const digests = (result: typeof first) =>
      Object.fromEntries(result.report.targets.map((target) => [target.platform, target.artifacts[0]?.sha256]));
    expect(digests(second)).toEqual(digests(first));
    expect(Object.keys(digests(first)).length).toBe(2);
  });

  it("shows both plans and all dimensions, and builds nothing, with --dry-run", async () => {
    await fresh();
    const ended = await project.run(["build", "--dry-run"]);
    expect(ended.code).toBe(0);
    for (const text of ["hostname", "time", "umask", "-trimpath", "GOPROXY"]) expect(ended.stderr).toContain(text);
    nothingWritten();
  });

  it("says whether mine is the published one", async () => {
    await fresh();
    const { stderr } = await project.run(["build", "--offline"]);
    const sha256 = /sha256 ([0-9a-f]{64})/.exec(stderr)?.[1] ?? "";
    const other = "0".repeat(64);
    const published = join(project.dir, "published");
    await cp(here(artifact), published);
    await writeFile(join(project.dir, "SHA256SUMS"), `${other}  other\n${sha256}  ${artifact}\n`);
    for (const against of [published, "SHA256SUMS"]) {
      const ended = await project.run(["build", "--offline", "--against", against]);
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.stderr).toContain("equal to the published one");
    }
    const differs = await project.run(["build", "--offline", "--json", "--against", `sha256:${other}`]);
    expect(differs.code).toBe(1);
    expect(jsonOf(differs).code).toBe("differs-from-published");
    await writeFile(join(project.dir, "SHA256SUMS"), `${sha256}  other-name\n`);
    await fresh();
    await writeFile(join(project.dir, "list-of-digests"), `${sha256}  other-name\n`);
    const unnamed = await project.run(["build", "--offline", "--against", "list-of-digests"]);
    expect(unnamed.code).toBe(2);
    expect(unnamed.stderr).toContain(`has no ${artifact}`);
    expect(unnamed.stderr).toContain("other-name");
    for (const against of ["missing-file", "sha256:123", "go.mod/x"]) {
      expect((await project.run(["build", "--offline", "--against", against])).code).toBe(2);
    }
    nothingWritten();
  });

  it("is a mismatch, names the cause, keeps both and offers none, when a step writes down what it sees", async () => {
    await fresh();
    expect((await project.run(["build", "--offline"])).code).toBe(0);
    const gen =
      'package main\n\nimport "os"\n\nfunc main() {\n\thost, _ := os.Hostname()\n\tos.WriteFile("version.go", []byte("package main\\n\\nfunc init() { version = \\""+host+"\\" }\\n"), 0o644)\n}\n';
    await project.write({
      "twinseal.yaml": `${await projectRecipe()}before: [[go, run, ./gen]]\n`,
      "gen/main.go": gen,
    });
    expect((await project.run(["pin", "tiny@1.0.0"])).code).toBe(0);
    try {
      const ended = await project.run(["build", "--offline", "--against", `sha256:${"0".repeat(64)}`]);
      expect(ended.code, ended.stderr).toBe(1);
      expect(ended.stderr).toContain("depends on hostname");
      expect(ended.stderr).toMatch(/A: sha256 [0-9a-f]{64}, \d+ bytes\n +B: sha256 [0-9a-f]{64}, \d+ bytes/);
      expect(ended.stderr).toContain("not comparable with the published one");
      expect(existsSync(here(artifact))).toBe(false);
      for (const side of ["a", "b"]) {
        expect(await readdir(here(join(platform.replace("/", "-"), side)))).toEqual(
          expect.arrayContaining([artifact, "actiongraph.json", "build.log", "run.json"]),
        );
      }
      const compared = await project.run([
        "compare",
        ...["a", "b"].map((side) => here(join(platform.replace("/", "-"), side))),
      ]);
      expect(compared.code).toBe(1);
      const path = here("report.json");
      await writeFile(path, (await readFile(path, "utf8")).replaceAll('"mismatch"', '"match"'));
      const shown = await project.run(["report", path, "--json"]);
      expect([shown.code, jsonOf(shown).code]).toEqual([4, "REPORT_CONTRADICTS"]);
    } finally {
      await rm(join(project.dir, "gen"), { recursive: true });
      await fresh();
      expect((await project.run(["pin", "tiny@1.0.0"])).code).toBe(0);
    }
  });

  it("shows the compiler's own lines first, then the log, when the source does not build", async () => {
    await fresh({ "main.go": "package main\n\nfunc main() { undefinedName() }\n" });
    const ended = await project.run(["build", "--offline"]);
    expect(ended.code).toBe(1);
    const at = (text: string) => ended.stderr.indexOf(text);
    expect(at("main.go:3:15: undefined: undefinedName")).toBeGreaterThan(0);
    expect(at("build.log")).toBeGreaterThan(at("undefined: undefinedName"));
    expect(jsonOf(await project.run(["build", "--offline", "--json"])).code).toBe("build-failed");
    expect(existsSync(here(artifact))).toBe(false);
  });

  it("does not offer a program that fails its check", async () => {
    await fresh({ "main.go": tinyMain.replace('"tiny "', '"other "') });
    const ended = await project.run(["build", "--offline", "--json"]);
    expect(ended.code).toBe(1);
    expect(jsonOf(ended).code).toBe("check-failed");
    expect(existsSync(here(artifact))).toBe(false);
  });

  it("refuses a lock older than its recipe, a broken recipe, a wrong version and a wrong target: exit 2, nothing written", async () => {
    const recipe = sources["twinseal.yaml"] ?? "";
    const cases: readonly (readonly [string, string, readonly string[]])[] = [
      [recipe.replace("-s -w", "-w"), "run twinseal pin", []],
      [recipe.replace("name: tiny", "name: tiny\nnmae: x"), "twinseal.yaml:3:1", []],
      [recipe.replace(/go: "[^"]+"/, "go: 1.20"), "twinseal.yaml:4:5", []],
      [`${recipe}name: again\n`, "twinseal.yaml:", []],
      [recipe.replace("path: .", "path: ../elsewhere"), "twinseal.yaml:3:", []],
      [recipe, "tiny@9.9.9", ["@9.9.9"]],
      [recipe, "windows/386", ["--target", "windows/386"]],
      [recipe, "tiny has no target darwin/arm64", ["--target", "darwin/arm64"]],
      [recipe, "did you mean", ["--al-targets"]],
    ];
    for (const [text, said, argv] of cases) {
      await fresh({ "twinseal.yaml": text });
      const ended = await project.run(["build", "--offline", ...argv]);
      expect(ended.code, `${said}: ${ended.stderr}`).toBe(2);
      expect(ended.stderr).toContain(said);
      nothingWritten();
    }
  });

  it("raises the alarm for a lock whose digest is off by one bit, and builds nothing", async () => {
    await fresh();
    const path = join(project.dir, "twinseal.lock.json");
    const text = await readFile(path, "utf8");
    const lock = JSON.parse(text) as { go: { toolchains: { host: string; zip: { sha256: string } }[] } };
    const zip = lock.go.toolchains.find(({ host }) => host === platform)?.zip.sha256 ?? "";
    const flipped = `${zip.slice(0, -1)}${(Number.parseInt(zip.slice(-1), 16) ^ 1).toString(16)}`;
    try {
      await writeFile(path, text.replaceAll(zip, flipped));
      const ended = await project.run(["build"]);
      expect(ended.code, ended.stderr).toBe(4);
      expect(ended.stderr).toContain(flipped);
      nothingWritten();
      await writeFile(path, text.slice(0, -10));
      expect((await project.run(["build"])).code).toBe(2);
      nothingWritten();
    } finally {
      await writeFile(path, text);
    }
  });

  it("without a network or with --offline says what it wanted: exit 3, nothing written", async () => {
    await fresh();
    const empty = await mkdtemp(join(tmpdir(), "twinseal-empty-"));
    try {
      const offline = await project.run(["build", "--offline"], { TWINSEAL_CACHE: empty });
      expect(offline.code).toBe(3);
      expect(offline.stderr).toMatch(/1 file, \d+\.\d MB \(Go /);
      const unreachable = await project.run(["build"], { TWINSEAL_CACHE: empty, GOPROXY: "http://127.0.0.1:9" });
      expect(unreachable.code).toBe(3);
      expect(unreachable.stderr).toContain("resumes");
      nothingWritten();
    } finally {
      await rm(empty, { recursive: true, force: true });
    }
  });

  it.each([
    ["while it compiles", "compiling", {}],
    // A machine that never built the sandbox's own program.
    ["before there is a sandbox", "building the sandbox's own program", { XDG_STATE_HOME: "empty-state" }],
  ])("leaves no process, no directory and no half artifact when it is interrupted %s", async (_when, said, more) => {
    await fresh();
    const earlier = { [`${folder}/report.json`]: "{}", [`${folder}/report.html`]: "earlier" };
    await project.write(earlier);
    const state = "XDG_STATE_HOME" in more ? { XDG_STATE_HOME: join(project.dir, more.XDG_STATE_HOME) } : {};
    const child = spawn(process.execPath, [binPath, "build", "--offline"], {
      cwd: project.dir,
      env: { ...process.env, CI: "true", TWINSEAL_CACHE: testStoreRoot(), ...state },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    while (!text.includes(said)) await sleep(20);
    await sleep(1000);
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    expect(code, text).toBe(3);
    expect(text).toContain("twinseal: interrupted");
    expect(existsSync(here(artifact))).toBe(false);
    if (said === "compiling")
      for (const name of Object.keys(earlier)) expect(existsSync(join(project.dir, name))).toBe(false);
    const work = await readdir(join(testStoreRoot(), "work"));
    expect(work.filter((name) => name.startsWith(`${child.pid}-`))).toEqual([]);
  });

  it("says what to do when it may not write where it should", async () => {
    await fresh();
    if (process.getuid?.() !== 0) {
      await chmod(project.dir, 0o555);
      const ended = await project.run(["build", "--offline"]);
      await chmod(project.dir, 0o755);
      expect(ended.code).toBe(3);
    }
    await writeFile(join(project.dir, "occupied"), "");
    const ended = await project.run(["build", "--offline", "--out", "occupied"]);
    expect(ended.code, ended.stderr).toBe(3);
    expect(ended.stderr).toContain("name another directory");
  });
});

import { existsSync } from "node:fs";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { canonicalJsonText } from "../../builder/canonical-json.ts";
import { createHttp } from "../../builder/http.ts";
import { fetchUnknown, type PinDeps } from "../../builder/recipe/pin-deps.ts";
import { openModuleServer } from "../support/module-server.ts";
import { openPlace } from "../support/place.ts";
import { lockSchema, type Lock } from "../../builder/recipe/lock.ts";
import { openGitServer } from "../support/git-server.ts";
import { openProject, projectRecipe, tinyMain, type Project } from "../support/project.ts";
import { openToolchain, readLock, repository, testStoreRoot } from "../support/toolchain.ts";

beforeAll(async () => {
  await openToolchain();
}, 600_000);

const lockOf = async (project: Project): Promise<Lock> =>
  lockSchema.parse(JSON.parse(await readFile(join(project.dir, "twinseal.lock.json"), "utf8")));

const moduleRecipe = `recipe: 1
name: node_exporter
source: {module: github.com/prometheus/node_exporter}
go: auto
targets: [linux/amd64]
build: {package: .}
`;

describe("twinseal pin of a module source", () => {
  it("resolves what a lock in the tree holds: Go version by go.mod, toolchains of both hosts, every module with its hashes", async () => {
    await using project = await openProject({ "twinseal.yaml": moduleRecipe });
    const pinned = await project.run(["pin", "node_exporter@1.12.1"]);
    expect(pinned.code, pinned.stderr).toBe(0);
    const [lock, known] = [await lockOf(project), await readLock("node_exporter", "1.12.1")];
    expect(lock.source).toEqual(known.source);
    expect(lock.go).toEqual(known.go);
    expect(lock.go.toolchains.map(({ host }) => host)).toEqual(["linux/amd64", "linux/arm64"]);
    const byName = new Map(known.modules.map((module) => [`${module.path} ${module.version}`, module]));
    for (const module of lock.modules)
      expect(byName.get(`${module.path} ${module.version}`)).toMatchObject(
        module.zip === undefined ? { goMod: module.goMod } : module,
      );
    expect(lock.modules.filter(({ zip }) => zip !== undefined).length).toBeGreaterThan(30);

    expect((await project.run(["pin", "--check"])).code).toBe(0); // the version is that of the project's lock
    const path = join(project.dir, "twinseal.lock.json");
    const text = await readFile(path, "utf8");
    const stale = { ...lock, modules: lock.modules.slice(1), go: { ...lock.go, version: "1.0.0" } };
    await writeFile(path, canonicalJsonText(stale));
    const checked = await project.run(["pin", "node_exporter@1.12.1", "--check"]);
    expect(checked.code).toBe(1);
    expect(checked.stderr).toContain(`go 1.0.0 -> ${lock.go.version}`);
    expect(checked.stderr).toContain("hint: run twinseal pin node_exporter@1.12.1");
    expect(await readFile(path, "utf8")).toBe(canonicalJsonText(stale));
    const dry = await project.run(["pin", "node_exporter@1.12.1", "--diff", "--dry-run"]);
    expect(dry.code).toBe(0);
    expect(dry.stderr).toContain(`module ${lock.modules[0]?.path} ${lock.modules[0]?.version} added`);
    expect(await readFile(path, "utf8")).toBe(canonicalJsonText(stale));

    const h1 = lock.modules.find(({ zip }) => zip !== undefined)?.zip?.h1 ?? "";
    const forged = text.replaceAll(h1, `h1:${"A".repeat(43)}=`);
    await writeFile(path, forged);
    const alarm = await project.run(["pin", "node_exporter@1.12.1"]);
    expect(alarm.code, alarm.stderr).toBe(4);
    expect(alarm.stderr).toContain("same version, other bytes");
    expect(await readFile(path, "utf8")).toBe(forged);
  });

  it("says that no proxy has a version", async () => {
    await using place = await openPlace();
    await using server = await openModuleServer({});
    const deps = { store: place.store, http: createHttp(), proxies: [server.url] } as unknown as PinDeps;
    await expect(fetchUnknown("example.test/x", "v9.9.9", "zip", 1000, deps)).rejects.toMatchObject({
      kind: "caller",
      code: "VERSION_UNKNOWN",
    });
  });

  it("refuses what names no recipe and no version, and writes nothing", async () => {
    await using project = await openProject({ "twinseal.yaml": moduleRecipe });
    for (const [spec, said] of [
      ["node_exporter", "names no version"],
      ["other@1.0.0", "no recipe named"],
      ["node_exporter@1.0;rm", "names no recipe"],
    ] as const) {
      const ended = await project.run(["pin", spec]);
      expect(ended.code, ended.stderr).toBe(2);
      expect(ended.stderr).toContain(said);
    }
    expect(existsSync(join(project.dir, "twinseal.lock.json"))).toBe(false);
  });

  it("without a network is exit 3", async () => {
    await using project = await openProject({ "twinseal.yaml": moduleRecipe });
    const ended = await project.run(["pin", "node_exporter@1.12.1"], { GOPROXY: "http://127.0.0.1:9" });
    expect(ended.code, ended.stderr).toBe(3);
    expect(existsSync(join(project.dir, "twinseal.lock.json"))).toBe(false);
  });
});

describe("a program from a git tag, end to end", () => {
  it("is pinned, built with the tag's commit and date in it, and refused once the tag moves", async () => {
    await using server = await openGitServer();
    await server.write({
      "go.mod": "module example.test/tiny\n\ngo 1.21\n",
      "cmd/tiny/main.go": tinyMain
        .replace("version = ", 'commit, date, version = "", "", ')
        .replace("version)", 'version + " " + commit + " " + date)'),
    });
    await server.commit("Begin");
    await server.git("tag", "--annotate", "--message", "one", "v1.0.0");
    const commit = await server.git("rev-parse", "HEAD");
    const recipe = (await projectRecipe('check: {run: [], prints: "tiny {version} {commit} {commitDate}"}\n'))
      .replace("source: {path: .}", `source: {git: ${server.url}, tag: "v{version}"}`)
      .replace("package: .", "package: ./cmd/tiny")
      .replace("main.version={version}", "main.version={version} -X main.commit={commit} -X main.date={commitDate}");
    await using project = await openProject({ "twinseal.yaml": recipe });

    const pinned = await project.run(["pin", "tiny@1.0.0"]);
    expect(pinned.code, pinned.stderr).toBe(0);
    const lock = await lockOf(project);
    expect(lock.source).toMatchObject({ kind: "git", url: server.url, tag: "v1.0.0", commit });
    expect(lock.sourceDateEpoch).toBe(Date.parse("2024-05-06T07:08:09Z") / 1000);
    const built = await project.run(["build", "--json"]);
    expect(built.code, `${built.stdout}${built.stderr}`).toBe(0);
    expect(built.stdout).toContain(`tiny 1.0.0 ${commit} 2024-05-06T07:08:09Z`);
    expect(JSON.parse(built.stdout)).toMatchObject({ code: "match", report: { local: false } });

    await server.write({ "cmd/tiny/main.go": `${tinyMain}\n// moved\n` });
    await server.commit("Move");
    await server.git("tag", "--force", "v1.0.0");
    const text = await readFile(join(project.dir, "twinseal.lock.json"), "utf8");
    for (const argv of [
      ["pin", "tiny@1.0.0"],
      ["pin", "tiny@1.0.0", "--check"],
    ]) {
      const ended = await project.run(argv);
      expect(ended.code, ended.stderr).toBe(4);
      expect(ended.stderr).toContain(commit);
    }
    expect(await readFile(join(project.dir, "twinseal.lock.json"), "utf8")).toBe(text);
    // What was locked is in the store and needs nobody.
    expect((await project.run(["build", "--offline"])).code).toBe(0);
  });
});

it("pin, fetch, build and store leave no temporary file in the store", async () => {
  const tmp = await readdir(join(testStoreRoot(), "tmp"));
  expect(tmp.filter((name) => !name.endsWith(".partial"))).toEqual([]);
  expect(existsSync(join(repository, "twinseal.lock.json"))).toBe(false);
});

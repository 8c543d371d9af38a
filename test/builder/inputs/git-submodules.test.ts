import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { fetchGitArchive } from "../../../builder/inputs/git-source.ts";
import { submoduleUrl } from "../../../builder/inputs/git-submodules.ts";
import { copySource } from "../../../builder/inputs/source.ts";
import { lockGitSource } from "../../../builder/recipe/pin-git.ts";
import { gitDepsIn, openGitServer, type GitServer } from "../../support/git-server.ts";
import { openPlace, type Place } from "../../support/place.ts";

type Link = { readonly path: string; readonly url: string; readonly commit: string };

/** Commits the files that lie there and the submodules as git would have them, and tags that. */
async function release(server: GitServer, tag: string, links: readonly Link[]): Promise<void> {
  const sections = links.map(({ path, url }) => `[submodule "of ${path}"]\n\tpath = ${path}\n\turl = ${url}\n`);
  await server.write({ ".gitmodules": sections.join("") });
  await server.git("add", "--all");
  for (const { path, commit } of links)
    await server.git("update-index", "--add", "--cacheinfo", `160000,${commit},${path}`);
  await server.git("commit", "--quiet", "--message", tag);
  await server.git("tag", tag);
}

/** An outer repository with two submodules, of which one has a submodule itself; its pinned commit is not its newest. */
async function openNest() {
  await using stack = new AsyncDisposableStack();
  const [outer, lib, deep] = [await openGitServer(), await openGitServer(), await openGitServer()];
  for (const server of [outer, lib, deep]) stack.use(server);
  await deep.write({ "deep.c": "int deep;\n" });
  await deep.commit("deep");
  const deepCommit = await deep.git("rev-parse", "HEAD");
  await deep.write({ "deep.c": "int newer;\n" });
  await deep.commit("newer");
  await lib.write({ "lib.c": "int lib;\n" });
  await release(lib, "v1", [{ path: "third/deep", url: deep.url, commit: deepCommit }]);
  const libCommit = await lib.git("rev-parse", "HEAD");
  await outer.write({ "go.mod": "module example.test/x\n\ngo 1.21\n" });
  await release(outer, "v1.0.0", [
    { path: "lib", url: lib.url, commit: libCommit },
    { path: "lib.test", url: "../nowhere", commit: libCommit },
  ]);
  const owned = stack.move();
  return { outer, lib, deep, libCommit, deepCommit, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function pin(server: GitServer, place: Place, submodules?: readonly string[], tag = "v1.0.0") {
  const { source } = await lockGitSource(
    { url: server.url, tag, from: server.url, submodules },
    await gitDepsIn(place),
  );
  return source;
}

describe("submodules", () => {
  it("are locked by commit and tree and are part of the source, inner ones too, where the recipe names them", async () => {
    await using nest = await openNest();
    await using place = await openPlace();
    const source = await pin(nest.outer, place, ["lib", "lib/third/deep"]);
    expect(source.submodules).toEqual([
      { path: "lib", commit: nest.libCommit, tree: await nest.lib.git("rev-parse", "HEAD^{tree}") },
      {
        path: "lib/third/deep",
        commit: nest.deepCommit,
        tree: await nest.deep.git("rev-parse", `${nest.deepCommit}^{tree}`),
      },
    ]);
    const dir = join(place.dir, "out");
    await copySource(source, { store: place.store, recipeDir: place.dir }, dir);
    expect(await readFile(join(dir, "lib/third/deep/deep.c"), "utf8")).toBe("int deep;\n");
    expect((await readdir(dir)).toSorted()).toEqual([".gitmodules", "go.mod", "lib"]);

    // Fetched again by somebody who has the lock only.
    await using other = await openPlace();
    const [first, ...rest] = source.submodules ?? [];
    if (first === undefined) throw new Error("no submodule");
    const edited = { ...source, submodules: [{ ...first, commit: nest.deepCommit }, ...rest] };
    await expect(fetchGitArchive(edited, await gitDepsIn(other))).rejects.toMatchObject({ code: "SUBMODULE_CHANGED" });
    await fetchGitArchive(source, await gitDepsIn(other));
    await copySource(source, { store: other.store, recipeDir: other.dir }, join(other.dir, "out"));
    expect(await readFile(join(other.dir, "out/lib/lib.c"), "utf8")).toBe("int lib;\n");
  });

  it("must be decided on: none is taken or left out in silence", async () => {
    await using nest = await openNest();
    await using place = await openPlace();
    await expect(pin(nest.outer, place)).rejects.toMatchObject({
      kind: "caller",
      code: "SUBMODULE_UNDECIDED",
      hint: expect.stringContaining("submodules: [lib, lib.test]"),
    });
    await expect(pin(nest.outer, place, ["lib", "lob"])).rejects.toMatchObject({
      kind: "caller",
      code: "SUBMODULE_UNKNOWN",
      message: expect.stringContaining("lob"),
    });
    const none = await pin(nest.outer, place, []);
    expect(none.submodules).toEqual([]);
    await copySource(none, { store: place.store, recipeDir: place.dir }, join(place.dir, "none"));
    expect((await readdir(join(place.dir, "none"))).toSorted()).toEqual([".gitmodules", "go.mod"]);
    const outerOnly = await pin(nest.outer, place, ["lib"]);
    expect(outerOnly.submodules).toHaveLength(1);
    expect(outerOnly.archive.sha256).not.toBe(none.archive.sha256);
  });

  it("come from nowhere but their servers: not from a path of this machine, not from a server without the commit", async () => {
    await using nest = await openNest();
    await using place = await openPlace();
    await release(nest.outer, "local", [{ path: "lib", url: nest.lib.dir, commit: nest.libCommit }]);
    await expect(pin(nest.outer, place, ["lib"], "local")).rejects.toMatchObject({ code: "SUBMODULE_URL" });
    await release(nest.outer, "other", [{ path: "lib", url: nest.deep.url, commit: nest.libCommit }]);
    await expect(pin(nest.outer, place, ["lib"], "other")).rejects.toMatchObject({ kind: "world", code: "GIT_FAILED" });
  });
});

test.each([
  ["https://host/a/b", "https://other/x", "https://other/x"],
  ["https://host/a/b.git", "../c.git", "https://host/a/c.git"],
  ["https://host/a/b/", "../../c/d", "https://host/c/d"],
  ["https://host/a/b", "./inner", "https://host/a/b/inner"],
  ["git@host:a/b", "../c", "git@host:a/c"],
  ["git@host:b", "../c", "git@host:c"],
  ["/srv/git/a", "../b", "/srv/git/b"],
  ["/a", "../b", "/b"],
])("below %s, %s is %s", (outer, url, expected) => {
  expect(submoduleUrl(url, outer)).toBe(expected);
});

test.each(["/etc", "file:///etc", "ext::sh -c id", "-u./evil", "https://-x/y", "../../../../../x", "host/x", ""])(
  "%s is followed nowhere",
  (url) => {
    expect(() => submoduleUrl(url, "https://host/a/b")).toThrow(expect.objectContaining({ code: "SUBMODULE_URL" }));
  },
);

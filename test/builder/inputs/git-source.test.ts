import { chmod, readFile, readdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fetchGitArchive, resolveTag, type LockedGit } from "../../../builder/inputs/git-source.ts";
import { copySource } from "../../../builder/inputs/source.ts";
import { lockGitSource } from "../../../builder/recipe/pin-git.ts";
import { hasBlob } from "../../../builder/store/store.ts";
import { gitDepsIn, openGitServer, type GitServer } from "../../support/git-server.ts";
import { openPlace, type Place } from "../../support/place.ts";

async function openProject(): Promise<GitServer> {
  const server = await openGitServer();
  await server.write({
    "go.mod": "module example.test/x\n\ngo 1.21\n",
    "cmd/x/main.go": "package main\n\nfunc main() {}\n",
  });
  await server.commit("Begin");
  await server.git("tag", "--annotate", "--message", "one", "v1.0.0");
  return server;
}

async function lockOf(server: GitServer, place: Place): Promise<LockedGit> {
  return (await lockGitSource({ url: server.url, tag: "v1.0.0", from: server.url }, await gitDepsIn(place))).source;
}

describe("a git source", () => {
  it("is locked by tag object, commit and tree, as git names them, over HTTP and from a directory alike", async () => {
    await using server = await openProject();
    await using place = await openPlace();
    const overHttp = await lockGitSource({ url: server.url, tag: "v1.0.0", from: server.url }, await gitDepsIn(place));
    const fromDirectory = await lockGitSource(
      { url: server.url, tag: "v1.0.0", from: server.dir },
      await gitDepsIn(place),
    );
    expect(fromDirectory).toEqual(overHttp);
    expect(server.requests()).toBeGreaterThan(0);
    const { source, sourceDateEpoch } = overHttp;
    expect(source.oid).toBe(await server.git("rev-parse", "v1.0.0"));
    expect(source.commit).toBe(await server.git("rev-parse", "v1.0.0^{commit}"));
    expect(source.tree).toBe(await server.git("rev-parse", "v1.0.0^{tree}"));
    expect(source.oid).not.toBe(source.commit);
    expect(sourceDateEpoch).toBe(Date.parse("2024-05-06T07:08:09Z") / 1000);
  });

  it("gives the very bytes of the tree: attributes convert nothing, modes and links stay", async () => {
    await using server = await openProject();
    await server.write({
      ".gitattributes": "*.txt text eol=crlf\n*.id ident export-subst\nsecret export-ignore\n",
      "a.txt": "one\ntwo\n",
      "b.id": "$Id$ $Format:%H$\n",
      secret: "kept",
      "@odd": "x",
      "deep/ly/run.sh": "#!/bin/sh\n",
    });
    await chmod(join(server.dir, "deep/ly/run.sh"), 0o755);
    await symlink("a.txt", join(server.dir, "link"));
    await server.commit("Add attributes");
    await server.git("tag", "--force", "v1.0.0");
    await using place = await openPlace();
    const source = await lockOf(server, place);
    expect(source.oid).toBe(source.commit); // a lightweight tag
    const dir = join(place.dir, "out");
    await copySource(source, { store: place.store, recipeDir: place.dir }, dir);
    expect(await readFile(join(dir, "a.txt"), "utf8")).toBe("one\ntwo\n");
    expect(await readFile(join(dir, "b.id"), "utf8")).toBe("$Id$ $Format:%H$\n");
    expect(await readFile(join(dir, "link"), "utf8")).toBe("one\ntwo\n");
    expect(await readdir(dir)).toEqual(expect.arrayContaining(["secret", "@odd", ".gitattributes"]));
    expect((await stat(join(dir, "deep/ly/run.sh"))).mode & 0o777).toBe(0o755);
    expect((await stat(join(dir, "a.txt"))).mode & 0o777).toBe(0o644);
  });

  it("is fetched again from the lock alone", async () => {
    await using server = await openProject();
    await using place = await openPlace();
    await using other = await openPlace();
    const source = await lockOf(server, place);
    await fetchGitArchive(source, await gitDepsIn(other));
    expect(await hasBlob(other.store, source.archive.sha256)).toBe(true);
  });

  it("is an alarm when the tag moved, even to a commit with the same files", async () => {
    await using server = await openProject();
    await using place = await openPlace();
    const source = await lockOf(server, place);
    await server.git("tag", "--force", "--annotate", "--message", "again", "v1.0.0");
    await expect(fetchGitArchive(source, await gitDepsIn(place))).rejects.toMatchObject({
      kind: "alarm",
      code: "TAG_MOVED",
    });
    await server.write({ "cmd/x/main.go": "package main\n\nfunc main() { panic(1) }\n" });
    await server.commit("Change");
    await server.git("tag", "--force", "v1.0.0");
    await expect(fetchGitArchive(source, await gitDepsIn(place))).rejects.toMatchObject({
      kind: "alarm",
      code: "TAG_MOVED",
    });
  });

  it("says which tag is missing, and that a server cannot be reached", async () => {
    await using server = await openProject();
    await using place = await openPlace();
    await expect(resolveTag(server.url, "v9.9.9", await gitDepsIn(place))).rejects.toMatchObject({
      kind: "caller",
      code: "TAG_UNKNOWN",
    });
    await expect(resolveTag("http://127.0.0.1:9/none", "v1.0.0", await gitDepsIn(place))).rejects.toMatchObject({
      kind: "world",
      code: "GIT_FAILED",
    });
  });

  it("refuses a link out of the tree, and names that differ only by case", async () => {
    await using server = await openProject();
    await using place = await openPlace();
    const tag = async (name: string) => {
      await server.commit(name);
      await server.git("tag", name);
    };
    await symlink("../../etc/passwd", join(server.dir, "out"));
    await tag("link");
    await server.git("rm", "--quiet", "out");
    await server.write({ "Readme.md": "a", "README.md": "b" });
    await tag("case");
    const pin = async (name: string) => {
      const { source } = await lockGitSource({ url: server.url, tag: name, from: server.url }, await gitDepsIn(place));
      await copySource(source, { store: place.store, recipeDir: place.dir }, join(place.dir, `out-${name}`));
    };
    await expect(pin("link")).rejects.toMatchObject({
      code: "ARCHIVE_UNSAFE",
      message: expect.stringContaining("out"),
    });
    await expect(pin("case")).rejects.toMatchObject({
      code: "ARCHIVE_UNSAFE",
      message: expect.stringContaining("README.md"),
    });
  });

  it("never runs a program that the URL names", async () => {
    await using place = await openPlace();
    await expect(resolveTag(`ext::sh -c "touch ${place.dir}/ran"`, "v1", await gitDepsIn(place))).rejects.toMatchObject(
      {
        code: "GIT_FAILED",
      },
    );
    expect(await readdir(place.dir)).not.toContain("ran");
  });
});

import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { canonicalJsonText } from "../../builder/canonical-json.ts";
import { lockSchema, type LockedImage } from "../../builder/recipe/lock.ts";
import { openHostileRegistry } from "../support/hostile-registry.ts";
import { layoutFiles, writeFiles } from "../support/image-files.ts";
import { makeImage, type MadeImage } from "../support/image-maker.ts";
import { openProject, projectRecipe, tinyMain, type Project } from "../support/project.ts";
import { openRegistry } from "../support/registry.ts";
import { file, symlink } from "../support/tar-maker.ts";
import { openToolchain, testStoreRoot } from "../support/toolchain.ts";

beforeAll(async () => {
  await openToolchain();
}, 600_000);

/** Another one for each test, since they share the user's store. */
const freshImage = () =>
  makeImage([[file("usr/bin/gcc", `not a compiler ${Math.random()}`, 0o755), symlink("bin", "usr/bin")]], {
    platform: { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" },
  });
const blobsOf = (image: MadeImage) => [image.manifest, image.config, ...image.layers];

async function openImageProject(image: string): Promise<Project> {
  const recipe = (await projectRecipe(`compiler: {image: "${image}"}\n`)).replace(
    "package: .",
    "package: .\n  cgo: true",
  );
  return openProject({
    "twinseal.yaml": recipe,
    "go.mod": "module example.test/tiny\n\ngo 1.21\n",
    "main.go": tinyMain,
  });
}

async function compilerOf(project: Project): Promise<LockedImage> {
  const lock = lockSchema.parse(JSON.parse(await readFile(join(project.dir, "twinseal.lock.json"), "utf8")));
  if (lock.compiler?.kind !== "image") throw new Error("the lock has no image");
  return lock.compiler;
}

/** Takes out of the store what came from an image. */
async function forget({ manifest, config, layers, rootfs }: LockedImage): Promise<void> {
  await rm(join(testStoreRoot(), "trees", rootfs.sha256), { recursive: true, force: true });
  for (const { sha256 } of [manifest, config, ...layers])
    await rm(join(testStoreRoot(), "sha256", sha256.slice(0, 2), sha256), { force: true });
}

describe("a recipe with a compiler from an image", () => {
  it("is written with the digest of a tag, pinned, checked and fetched, from a real registry that wants a password", async (context) => {
    const registry = await openRegistry();
    if (typeof registry === "string") return context.skip(registry);
    await using server = registry;
    const image = freshImage();
    await server.push("tools/gcc", [image.config, ...image.layers], [image.manifest], "14");
    server.password = Buffer.from("user:pass word").toString("base64");
    const tagged = `${server.registry}/tools/gcc:14`;
    await using project = await openImageProject(`${tagged}@sha256:${image.manifest.sha256}`);
    const denied = await project.run(["pin", "--resolve-image", tagged]);
    expect(denied.code, denied.stderr).toBe(3);
    expect(denied.stderr).toContain("docker login");

    await mkdir(join(project.dir, "docker"));
    const config = { auths: { [server.registry]: { auth: server.password } } };
    await writeFile(join(project.dir, "docker/config.json"), JSON.stringify(config));
    const env = { DOCKER_CONFIG: join(project.dir, "docker") };
    const resolved = await project.run(["pin", "--resolve-image", tagged], env);
    expect(resolved).toMatchObject({ code: 0, stdout: `${tagged}@sha256:${image.manifest.sha256}\n` });
    const pinned = await project.run(["pin", "tiny@1.0.0"], env);
    expect(pinned.code, pinned.stderr).toBe(0);
    const compiler = await compilerOf(project);
    expect(compiler).toMatchObject({ image: `${tagged}@sha256:${image.manifest.sha256}` });
    expect(readFileSync(join(testStoreRoot(), "trees", compiler.rootfs.sha256, "bin/gcc"), "utf8")).toContain("not a");
    expect((await project.run(["pin", "tiny@1.0.0", "--check"], env)).code).toBe(0);
    expect((await project.run(["check"])).code).toBe(0);

    await forget(compiler);
    const alone = { DOCKER_CONFIG: "/nowhere" };
    expect((await project.run(["fetch", "--offline"], alone)).code).toBe(3);
    const fetched = await project.run(["fetch"], env);
    expect(fetched.code, fetched.stderr).toBe(0);
    expect((await project.run(["fetch", "--offline"], alone)).code).toBe(0);
    await forget(compiler);
    for (const { stdout, stderr } of [denied, resolved, pinned, fetched])
      expect(`${stdout}${stderr}`).not.toContain(server.password);
  });

  it("is exit 4 when the registry serves other bytes, exit 3 when it is away, and no lock is written", async () => {
    const image = freshImage();
    await using server = await openHostileRegistry(blobsOf(image));
    const name = `${server.registry}/tools/gcc@sha256:${image.manifest.sha256}`;
    await using project = await openImageProject(name);
    const [layer] = image.layers;
    server.lie = ({ path }, { body }) =>
      path.includes(layer?.sha256 ?? "-") ? { body: Buffer.from(body ?? "").fill(0, 40, 41) } : undefined;
    const lied = await project.run(["pin", "tiny@1.0.0"]);
    expect(lied.code, lied.stderr).toBe(4);
    server.lie = () => ({ status: 404 });
    const missing = await project.run(["pin", "--resolve-image", `${server.registry}/tools/gcc:1`]);
    expect(missing.code, missing.stderr).toBe(3);
    expect(missing.stderr).toContain("hint: ");
    expect(existsSync(join(project.dir, "twinseal.lock.json"))).toBe(false);
  });

  it("is pinned and fetched from a layout alone", async () => {
    const image = freshImage();
    await using project = await openImageProject(`registry.example.test/tools/gcc@sha256:${image.manifest.sha256}`);
    await writeFiles(join(project.dir, "layout"), layoutFiles(image));
    const pinned = await project.run(["pin", "tiny@1.0.0", "--image-from", "layout"]);
    expect(pinned.code, pinned.stderr).toBe(0);
    const compiler = await compilerOf(project);
    await forget(compiler);
    const fetched = await project.run(["fetch", "--offline", "--image-from", "layout"]);
    expect(fetched.code, fetched.stderr).toBe(0);
    expect(existsSync(join(testStoreRoot(), "trees", compiler.rootfs.sha256))).toBe(true);
    const missing = await project.run(["fetch", "--image-from", "elsewhere"]);
    expect(missing.code, missing.stderr).toBe(2);

    // A lock that somebody changed is not written over.
    const path = join(project.dir, "twinseal.lock.json");
    const lock = lockSchema.parse(JSON.parse(await readFile(path, "utf8")));
    const forged = {
      ...lock,
      compiler: { ...compiler, layers: compiler.layers.map((layer) => ({ ...layer, sizeBytes: 1 })) },
    };
    await writeFile(path, canonicalJsonText(forged));
    const alarm = await project.run(["pin", "tiny@1.0.0", "--image-from", "layout"]);
    expect(alarm.code, alarm.stderr).toBe(4);
    expect(alarm.stderr).toContain("same digest, other layers");
    await forget(compiler);
  });

  it("with a tag alone, without a registry, or with --image-from and no image, is the caller's mistake", async () => {
    for (const image of [
      "docker.io/library/gcc:14",
      "gcc@sha256:" + "0".repeat(64),
      "library/gcc@sha256:" + "0".repeat(64),
    ]) {
      await using project = await openImageProject(image);
      const ended = await project.run(["pin", "tiny@1.0.0"]);
      expect(ended.code, ended.stderr).toBe(2);
      expect(ended.stderr).toContain("twinseal pin --resolve-image registry/name:tag");
    }
    await using plain = await openProject({ "twinseal.yaml": await projectRecipe(), "main.go": tinyMain });
    for (const argv of [
      ["pin", "tiny@1.0.0", "--image-from", "layout"],
      ["pin"],
      ["pin", "tiny@1.0.0", "--resolve-image", "docker.io/library/gcc:14"],
      ["pin", "--resolve-image", "gcc:14"],
    ]) {
      const ended = await plain.run(argv);
      expect(ended.code, ended.stderr).toBe(2);
      expect(ended.stderr).toContain("hint: ");
    }
  });
});

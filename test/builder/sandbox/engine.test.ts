import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runProcess } from "../../../builder/process.ts";
import { chooseDrivers, findAnyEngine } from "../../../builder/sandbox/driver-choice.ts";
import { engineFailure } from "../../../builder/sandbox/engine-failure.ts";
import { assertNewEnough, findEngine } from "../../../builder/sandbox/engine.ts";
import { openEngine } from "../../support/engines.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "twinseal-engine-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const PATH = process.env["PATH"] ?? "";
const uid = process.getuid?.() ?? 0;

/** A program named like an engine, which says what a text file holds. */
async function pretend(name: string, script: string): Promise<string> {
  const place = await mkdtemp(join(dir, "bin-"));
  await writeFile(join(place, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(place, name), 0o755);
  return `${place}:/usr/bin:/bin`;
}

describe("an engine that cannot be used", () => {
  it("is missing: named, with what to install", async () => {
    for (const name of ["docker", "podman"] as const) {
      await expect(findEngine(name, { PATH: dir }, uid)).rejects.toMatchObject({
        kind: "world",
        code: "ENGINE_MISSING",
        hint: expect.stringContaining("apt-get install podman"),
      });
    }
    await expect(findAnyEngine({ PATH: dir }, uid)).rejects.toMatchObject({ code: "ENGINE_MISSING" });
  });

  it("does not run: the real docker program's words for a socket that nobody serves", async (context) => {
    const found = await runProcess(["docker", "--version"], { env: { PATH }, timeoutMs: 10_000 }).catch(
      () => undefined,
    );
    if (found === undefined) return context.skip("there is no docker program here");
    const env = { PATH, HOME: dir, DOCKER_HOST: `unix://${dir}/nobody.sock` };
    await expect(findEngine("docker", env, uid)).rejects.toMatchObject({
      kind: "world",
      code: "ENGINE_DOWN",
      hint: expect.stringContaining("systemctl start docker"),
    });
  });

  it("may not be spoken to: the real docker program's words for a socket of another user", async (context) => {
    const engine = await openEngine("docker");
    if (typeof engine === "string") return context.skip(engine);
    await using _ = engine;
    if (uid !== 0) return context.skip("only root can become another user");
    await chmod(engine.dir, 0o755);
    const asked = await runProcess(
      ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "docker", "version"],
      { env: { PATH, HOME: dir, DOCKER_HOST: engine.env["DOCKER_HOST"] ?? "" }, timeoutMs: 30_000 },
    );
    expect(asked.code).not.toBe(0);
    expect(engineFailure("docker", asked.stderr)).toMatchObject({
      code: "ENGINE_FORBIDDEN",
      hint: expect.stringContaining("usermod -aG docker"),
    });
  });

  it("is too old, or tells no version", async () => {
    const old = await pretend("docker", `echo '{"Client":{"Version":"19.03.8"},"Server":{"Version":"19.03.8"}}'`);
    await expect(findEngine("docker", { PATH: old }, uid)).rejects.toMatchObject({
      code: "ENGINE_TOO_OLD",
      hint: expect.stringContaining("20.10"),
    });
    const older = await pretend("podman", `echo '{"Client":{"Version":"3.4.4"}}'`);
    await expect(findEngine("podman", { PATH: older }, uid)).rejects.toMatchObject({ code: "ENGINE_TOO_OLD" });
    const silent = await pretend("podman", "exit 0");
    await expect(findEngine("podman", { PATH: silent }, uid)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    for (const version of ["20.10.24+dfsg1", "28.0.1", "21.0.0"])
      expect(() => assertNewEnough("docker", version)).not.toThrow();
    for (const version of ["", "dev", "20.9.9"]) expect(() => assertNewEnough("docker", version)).toThrow(/too old/);
  });

  it("is podman in docker's clothes: its other options would not be understood", async () => {
    const emulated = await pretend("docker", `echo '{"Client":{"Version":"4.9.3"}}'`);
    await expect(findEngine("docker", { PATH: emulated }, uid)).rejects.toMatchObject({
      code: "ENGINE_MISSING",
      hint: expect.stringContaining("--driver podman"),
    });
  });

  it("gets no variable of ours but those that engines know", async () => {
    const seen = join(dir, "seen");
    const spy = await pretend("podman", `env > ${seen}; echo '{"Client":{"Version":"5.0.0"}}'`);
    const engine = await findEngine("podman", { PATH: spy, HOME: dir, SECRET_TOKEN: "x", CONTAINERS_CONF: "/y" }, uid);
    expect(engine.env).toEqual({ PATH: spy, HOME: dir, CONTAINERS_CONF: "/y" });
  });
});

describe("what an engine says is told apart", () => {
  it("and told without the warnings around it", () => {
    // podman 4.3.1 for a user without a line in /etc/subuid
    const said = [
      "Resource limits are not supported and ignored on cgroups V1 rootless systems",
      'time="2026-11-25T02:44:43Z" level=error msg="cannot find UID/GID for user joe: no subuid ranges found for user \\"joe\\" in /etc/subuid"',
      "Error: keep-id requires additional UIDs or GIDs defined in /etc/subuid and /etc/subgid to function correctly: %!w(<nil>)",
    ];
    const failure = engineFailure("podman", said.join("\n"));
    expect(failure.code).toBe("ENGINE_ROOTLESS_LIMIT");
    expect(failure.message).toContain("keep-id requires");
    expect(failure.message).not.toContain("Resource limits");
  });

  it.for([
    [
      "ENGINE_ROOTLESS_LIMIT",
      'Error: cannot find UID/GID for user joe: no subuid ranges found for user "joe" in /etc/subuid',
    ],
    [
      "ENGINE_ROOTLESS_LIMIT",
      "Error: creating container storage: insufficient UIDs or GIDs available in user namespace",
    ],
    [
      "ENGINE_ELSEWHERE",
      'docker: Error response from daemon: invalid mount config for type "bind": bind source path does not exist: /x.',
    ],
    ["ENGINE_DIED", "error waiting for container: unexpected EOF"],
    [
      "ENGINE_DOWN",
      "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    ],
    [
      "ENGINE_FORBIDDEN",
      'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://x/v1.24/version": dial unix /var/run/docker.sock: connect: permission denied',
    ],
    ["DISK_FULL", "write /var/lib/docker/tmp/x: no space left on device"],
    ["ENGINE_CANNOT_RUN", "Error: OCI runtime error: crun: the requested cgroup controller `pids` is not available"],
    ["ENGINE_FAILED", "words that nobody foresaw"],
  ] as const)("%s", ([code, said]) => {
    const failure = engineFailure("docker", `WARNING: something\n${said}`);
    expect(failure).toMatchObject({ kind: "world", code });
    expect(failure.message).toContain(said);
    expect(failure.message).not.toContain("WARNING");
    expect(failure.hint).not.toBe("");
  });
});

describe("--driver", () => {
  it("names one driver for both sides or one for each, and nothing else", () => {
    expect(chooseDrivers(undefined)).toEqual({ a: undefined, b: undefined });
    expect(chooseDrivers("")).toEqual({ a: undefined, b: undefined });
    expect(chooseDrivers("podman")).toEqual({ a: "podman", b: "podman" });
    expect(chooseDrivers("namespaces,oci")).toEqual({ a: "namespaces", b: "oci" });
    for (const text of ["lxc", "docker,", ",docker", "docker,podman,oci", "docker, podman"]) {
      expect(() => chooseDrivers(text), text).toThrow(/no driver/);
    }
  });
});

import { randomUUID } from "node:crypto";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHttp } from "../../../builder/http.ts";
import { fetchInputs } from "../../../builder/inputs/fetch.ts";
import { blobsOf } from "../../../builder/inputs/plan-fetch.ts";
import { readHost } from "../../../builder/host.ts";
import { runProcess } from "../../../builder/process.ts";
import { pinDebian, type DebianDeps } from "../../../builder/recipe/pin-debian.ts";
import type { Lock, LockedDebian } from "../../../builder/recipe/lock.ts";
import { hasBlob, type Store } from "../../../builder/store/store.ts";
import { lackOfApt, openAptRepository, type AptRepository, type TestPackage } from "../../support/apt-repository.ts";
import { openPlace, type Place } from "../../support/place.ts";
import { sampleLock } from "../../support/sample-lock.ts";

let lack: string | undefined;
beforeAll(async () => {
  lack = readHost().platform === "linux/amd64" ? await lackOfApt() : "the test's archive is for amd64";
});
beforeEach((context) => {
  if (lack !== undefined) context.skip(lack);
});

const suite = "testing-one";
const packages: readonly TestPackage[] = [
  { name: "g++", depends: "gcc (>= 1:1.0), libc6-dev", recommends: "manual" },
  { name: "gcc", entries: [{ path: "./usr/bin/gcc", text: "gcc", mode: 0o755 }] },
  { name: "libc6-dev", provides: "libc-dev" },
  { name: "manual" },
  { name: "broken", depends: "not-there" },
];

function depsOf(place: Place, mirrors: readonly string[], keyring: string, more: Partial<DebianDeps> = {}): DebianDeps {
  return {
    store: place.store,
    http: createHttp(),
    host: "linux/amd64",
    debianMirrors: async () => mirrors,
    debianKeyring: async () => keyring,
    aptEnv: {},
    workDir: join(place.dir, randomUUID()),
    say: () => {},
    ...more,
  };
}

const pin = (place: Place, repository: AptRepository, names: readonly string[] = ["g++"], more?: Partial<DebianDeps>) =>
  pinDebian({ debian: suite, packages: [...names] }, depsOf(place, [repository.url], repository.keyring, more));

const lockOf = (compiler: LockedDebian): Lock => ({ ...sampleLock([]), compiler });

const fetchAgain = (store: Store, compiler: LockedDebian, mirrors: readonly string[]) =>
  fetchInputs(lockOf(compiler), {
    store,
    http: createHttp(),
    proxies: () => Promise.reject(new Error("no proxy is needed")),
    debianMirrors: async () => mirrors,
    host: "linux/amd64",
    offline: false,
    gitEnv: {},
    retry: { attempts: 1, backoffMs: 1 },
  });

async function expectNothingKept(place: Place): Promise<void> {
  expect(await readdir(join(place.store.root, "trees"))).toEqual([]);
  expect(await readdir(join(place.store.root, "tmp"))).toEqual([]);
}

describe("pinning a compiler of Debian packages", () => {
  it("locks what apt resolves, without recommendations, sorted, and keeps packages and tree", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages);
    const hostLists = await readdir("/var/lib/apt/lists").catch(() => []);
    const hostState = (await stat("/var/lib/dpkg/status")).mtimeMs;
    const locked = await pin(place, repository);
    expect(locked).toMatchObject({
      kind: "debian",
      host: "linux/amd64",
      suite,
      releasedAt: Date.UTC(2024, 6, 6, 10, 20, 30) / 1000,
    });
    expect(locked.packages.map(({ name, version, pool }) => [name, version, pool])).toEqual([
      ["g++", "1:1.0+b1", "pool/main/g++_1.0+b1_amd64.deb"],
      ["gcc", "1:1.0+b1", "pool/main/gcc_1.0+b1_amd64.deb"],
      ["libc6-dev", "1:1.0+b1", "pool/main/libc6-dev_1.0+b1_amd64.deb"],
    ]);
    expect(locked.rootfs.files).toBe(3);
    for (const { sha256 } of locked.packages) expect(await hasBlob(place.store, sha256)).toBe(true);
    const tree = join(place.store.root, "trees", locked.rootfs.sha256);
    expect(await readFile(join(tree, "usr/bin/gcc"), "utf8")).toBe("gcc");
    expect(blobsOf(lockOf(locked))).toEqual(
      expect.arrayContaining([locked.rootfs.sha256, ...locked.packages.map(({ sha256 }) => sha256)]),
    );
    expect(await readdir("/var/lib/apt/lists").catch(() => [])).toEqual(hostLists);
    expect((await stat("/var/lib/dpkg/status")).mtimeMs).toBe(hostState);
    await using again = await openPlace();
    expect(await pin(again, repository)).toEqual(locked);
    expect(JSON.stringify(locked)).not.toContain("127.0.0.1");
  });

  it("takes the mirror that has the suite, and says so where none has", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages);
    await using other = await openAptRepository(packages, { codename: "testing-two" });
    const deps = depsOf(place, [other.url, repository.url], repository.keyring);
    expect((await pinDebian({ debian: suite, packages: ["gcc"] }, deps)).packages).toHaveLength(1);
    await expect(pinDebian({ debian: "nowhere", packages: ["gcc"] }, deps)).rejects.toMatchObject({
      kind: "caller",
      code: "SUITE_UNKNOWN",
    });
    await expect(
      pinDebian({ debian: suite, packages: ["gcc"] }, depsOf(place, [], repository.keyring)),
    ).rejects.toMatchObject({
      kind: "caller",
      code: "MIRROR_UNSET",
    });
  });

  it("is refused for a suite that will be another release one day", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages, { suite, codename: "the-release-of-now" });
    await expect(pin(place, repository)).rejects.toMatchObject({
      kind: "caller",
      code: "SUITE_MOVES",
      hint: expect.stringContaining("the-release-of-now"),
    });
  });

  it("is an alarm when a mirror answers with another suite that is rightly signed", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages, { codename: "older" });
    for (const [path, bytes] of Object.entries(repository.files))
      repository.files[path.replace("/dists/older/", `/dists/${suite}/`)] = bytes;
    await expect(pin(place, repository)).rejects.toMatchObject({ kind: "alarm", code: "SUITE_FORGED" });
  });

  it("names a package that is not there, one that is only virtual, and one that cannot be installed", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages);
    for (const name of ["no-such-thing", "libc-dev", "g.*", "gcc-"]) {
      await expect(pin(place, repository, [name]), name).rejects.toMatchObject({
        kind: "caller",
        code: "PACKAGE_UNKNOWN",
        message: expect.stringContaining(name),
      });
    }
    await expect(pin(place, repository, ["broken"])).rejects.toMatchObject({
      kind: "caller",
      code: "PACKAGES_UNMET",
      message: expect.stringContaining("not-there"),
    });
  });

  it("refuses an index that is not the one that was signed", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages);
    const path = `/dists/${suite}/main/binary-amd64/Packages.gz`;
    await using forged = await openAptRepository([{ name: "g++", entries: [{ path: "./usr/bin/g++", text: "evil" }] }]);
    repository.files[path] = forged.files[path] ?? Buffer.alloc(0);
    await expect(pin(place, repository)).rejects.toMatchObject({ kind: "alarm", code: "INDEX_MISMATCH" });
    await expectNothingKept(place);
  });

  it("refuses a Release file with another bit, one by another key, and one without a signature", async () => {
    await using place = await openPlace();
    const path = `/dists/${suite}/InRelease`;
    await using repository = await openAptRepository(packages);
    const signed = repository.files[path]?.toString() ?? "";
    repository.files[path] = Buffer.from(signed.replace("Origin: Test", "Origin: Tesu"));
    await expect(pin(place, repository)).rejects.toMatchObject({ kind: "alarm", code: "SUITE_FORGED" });
    await using other = await openAptRepository(packages);
    repository.files[path] = other.files[path] ?? Buffer.alloc(0);
    await expect(pin(place, repository)).rejects.toMatchObject({ kind: "world", code: "SUITE_NOT_TRUSTED" });
    await using unsigned = await openAptRepository(packages, { unsigned: true });
    await expect(pin(place, unsigned)).rejects.toMatchObject({ kind: "world", code: "SUITE_NOT_TRUSTED" });
    await expectNothingKept(place);
  });

  it("refuses what has expired", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages, { validUntil: "Sun, 07 Jul 2024 10:20:30 UTC" });
    await expect(pin(place, repository)).rejects.toMatchObject({ kind: "world", code: "SUITE_EXPIRED" });
  });

  it("takes what has expired from a snapshot, where a past day is what is asked for", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages, { validUntil: "Sun, 07 Jul 2024 10:20:30 UTC" });
    const snapshot = "/archive/debian/20240706T222030Z";
    for (const [path, bytes] of Object.entries(repository.files)) repository.files[`${snapshot}${path}`] = bytes;
    const deps = depsOf(place, [`${repository.url}${snapshot}`], repository.keyring);
    expect((await pinDebian({ debian: suite, packages: ["gcc"] }, deps)).packages).toHaveLength(1);
  });

  it("refuses a package whose bytes are not those of the index", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages);
    const path = "/pool/main/gcc_1.0%2Bb1_amd64.deb";
    const deb = Buffer.from(repository.files[path] ?? "");
    deb.writeUInt8(deb.readUInt8(deb.length >> 1) ^ 1, deb.length >> 1);
    repository.files[path] = deb;
    await expect(pin(place, repository)).rejects.toMatchObject({
      kind: "alarm",
      code: "DIGEST_MISMATCH",
      message: expect.stringContaining("gcc 1:1.0+b1"),
    });
    await expectNothingKept(place);
  });

  it("says that the network is missing, or apt", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages);
    const gone = depsOf(place, ["http://127.0.0.1:9/debian"], repository.keyring);
    await expect(pinDebian({ debian: suite, packages: ["gcc"] }, gone)).rejects.toMatchObject({
      kind: "world",
      code: "NETWORK",
    });
    await expect(pin(place, repository, ["gcc"], { aptEnv: { PATH: place.dir } })).rejects.toMatchObject({
      kind: "world",
      code: "APT_MISSING",
      hint: expect.stringContaining("fetch and build do not need apt"),
    });
  });

  it("works without the host's settings, whatever they say", async () => {
    await using place = await openPlace();
    await using repository = await openAptRepository(packages);
    const poisoned = { APT_CONFIG: "/nonexistent/apt.conf", http_proxy: "" };
    expect((await pin(place, repository, ["gcc"], { aptEnv: poisoned })).packages).toHaveLength(1);
  });
});

/** Programs that run as usual and leave in `trace` which files they opened. */
async function traced(dir: string, trace: string, programs: readonly string[]): Promise<string> {
  await mkdir(dir);
  for (const program of programs) {
    const script = `#!/bin/sh\nexec strace -f -A -o '${trace}' -e trace=open,openat,openat2,rename,unlink,mkdir /usr/bin/${program} "$@"\n`;
    await writeFile(join(dir, program), script, { mode: 0o755 });
  }
  return `${dir}:/usr/sbin:/usr/bin:/sbin:/bin`;
}

it("opens nothing of the machine's own apt and dpkg, and writes nowhere but in its own place", async (context) => {
  const strace = await runProcess(["strace", "-V"], {
    env: { PATH: process.env["PATH"] ?? "" },
    timeoutMs: 10_000,
  }).catch(() => undefined);
  if (strace?.code !== 0) context.skip("strace is not installed");
  await using place = await openPlace();
  await using repository = await openAptRepository(packages);
  const trace = join(place.dir, "trace");
  const PATH = await traced(join(place.dir, "bin"), trace, ["apt-get", "apt-cache"]);
  await pin(place, repository, ["g++"], { aptEnv: { PATH } });
  const calls = (await readFile(trace, "utf8")).split("\n").filter((line) => !/ = -1 /.test(line));
  expect(calls.filter((line) => line.includes(`"${place.dir}/`)).length).toBeGreaterThan(10);
  expect(calls.filter((line) => /"\/(etc\/apt|var\/lib\/(apt|dpkg)|var\/cache\/apt)/.test(line))).toEqual([]);
  const writes = calls.filter((line) => /O_WRONLY|O_RDWR|O_CREAT|^\d+ +(rename|unlink|mkdir)\(/.test(line));
  const elsewhere = writes.filter((line) => /"\//.test(line) && !line.includes(`"${place.dir}/`));
  expect(elsewhere.filter((line) => !line.includes('"/dev/'))).toEqual([]);
});

describe("fetching a locked compiler", () => {
  it("brings the packages from any mirror that has them", async () => {
    await using place = await openPlace();
    await using again = await openPlace();
    await using repository = await openAptRepository(packages);
    await using other = await openAptRepository([]);
    const locked = await pin(place, repository);
    await using closed = await openAptRepository([]);
    closed.faults.status = 403;
    await fetchAgain(again.store, locked, [closed.url, "http://127.0.0.1:9", other.url, repository.url]);
    for (const { sha256 } of locked.packages) expect(await hasBlob(again.store, sha256)).toBe(true);
  });

  it("names the snapshot archive when a package has left every mirror", async () => {
    await using place = await openPlace();
    await using again = await openPlace();
    await using repository = await openAptRepository(packages);
    const locked = await pin(place, repository);
    delete repository.files["/pool/main/gcc_1.0%2Bb1_amd64.deb"];
    await expect(fetchAgain(again.store, locked, [repository.url])).rejects.toMatchObject({
      kind: "world",
      code: "INPUT_NOT_FOUND",
      message: expect.stringContaining("gcc 1:1.0+b1"),
      hint: expect.stringContaining(
        "TWINSEAL_DEBIAN_MIRROR=https://snapshot.debian.org/archive/debian/20240706T222030Z",
      ),
    });
    await expect(fetchAgain(again.store, locked, [])).rejects.toMatchObject({ kind: "caller", code: "MIRROR_UNSET" });
  });

  it("is an alarm when a mirror serves a package one bit off, and none of it is kept", async () => {
    await using place = await openPlace();
    await using again = await openPlace();
    await using repository = await openAptRepository(packages);
    const locked = await pin(place, repository);
    repository.faults.flipBit = true;
    await expect(fetchAgain(again.store, locked, [repository.url])).rejects.toMatchObject({
      kind: "alarm",
      code: "DIGEST_MISMATCH",
    });
    for (const { sha256 } of locked.packages) expect(await hasBlob(again.store, sha256)).toBe(false);
  });
});

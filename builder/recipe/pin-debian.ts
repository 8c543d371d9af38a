import { mkdir, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import type { Http } from "../http.ts";
import { parseDeb822 } from "../inputs/apt-sources.ts";
import { makeDebianRootfs } from "../inputs/debian-rootfs.ts";
import { fetchBlobs } from "../inputs/fetch.ts";
import { packages as packageBlobs } from "../inputs/plan-fetch.ts";
import { makeRootfs } from "../inputs/rootfs.ts";
import type { Host } from "../platform.ts";
import { hasBlob, type Store } from "../store/store.ts";
import { openPrivateApt, type PrivateApt } from "./apt.ts";
import { aptFailed, installFault, packageUnknown, updateFault } from "./apt-faults.ts";
import type { Compiler } from "./compiler-schema.ts";
import { lockedPackageSchema, type LockedDebian, type LockedPackage } from "./lock.ts";

export type DebianDeps = {
  readonly store: Store;
  readonly http: Http;
  readonly host: Host;
  readonly debianMirrors: () => Promise<readonly string[]>;
  /** File of the keys that Debian signs with. */
  readonly debianKeyring: () => Promise<string>;
  /** What apt needs of the environment to reach the network. */
  readonly aptEnv: Readonly<Record<string, string>>;
  /** Empty directory or none yet; removed by the caller. */
  readonly workDir: string;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
};

type DebianCompiler = Extract<Compiler, { readonly debian: string }>;

/**
 * Locks a C compiler of Debian packages: apt resolves what the wanted ones depend on, in the suite itself (no updates, no
 * security archive), by what Debian signed; the packages are fetched, laid out, and the result is digested and kept. Throws
 * `world/APT_MISSING`, `world/NETWORK`, `caller/MIRROR_UNSET`, `caller/SUITE_UNKNOWN`, `caller/PACKAGE_UNKNOWN`,
 * `alarm/SUITE_FORGED`, `alarm/INDEX_MISMATCH` and what updateFault and installFault name besides.
 */
export async function pinDebian(compiler: DebianCompiler, deps: DebianDeps): Promise<LockedDebian> {
  const suite = compiler.debian;
  const mirrors = await deps.debianMirrors();
  const { apt, mirror } = await openSuite(suite, mirrors, deps);
  const release = await readRelease(apt, suite);
  const packages = await resolvePackages(apt, compiler.packages, { mirror, suite });
  const wanted = packageBlobs({ packages, releasedAt: release.releasedAt }, [
    mirror,
    ...mirrors.filter((one) => one !== mirror),
  ]);
  const here = await Promise.all(wanted.map(({ sha256 }) => hasBlob(deps.store, sha256)));
  const megabytes = (packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1e6).toFixed(1);
  deps.say(`locking ${packages.length} packages of ${suite}, ${megabytes} MB`);
  const missing = wanted.filter((_, index) => here[index] === false);
  await fetchBlobs(missing, wanted.length - missing.length, deps);
  await using made = await makeRootfs(deps.store, (dir) => makeDebianRootfs(deps.store, packages, dir));
  await made.keep();
  return { kind: "debian", host: deps.host, suite, ...release, packages, rootfs: made.rootfs };
}

type Suite = { readonly apt: PrivateApt; readonly mirror: string };

/** The first mirror that has the suite; what looks like forgery ends the search. */
async function openSuite(suite: string, mirrors: readonly string[], deps: DebianDeps): Promise<Suite> {
  const keyring = await deps.debianKeyring();
  const architecture = deps.host.replace("linux/", "");
  const faults: TwinsealError[] = [];
  for (const [index, mirror] of mirrors.entries()) {
    const dir = join(deps.workDir, `apt-${index}`);
    await mkdir(dir, { recursive: true });
    const apt = await openPrivateApt(dir, { mirror, suite, architecture, keyring }, deps.aptEnv, deps.signal);
    const updated = await apt.run(["apt-get", "-q", "update"]);
    if (updated.code === 0) return { apt, mirror };
    const fault = updateFault({ mirror, suite, text: `${updated.stderr}\n${updated.stdout}` });
    if (fault.kind === "alarm") throw fault;
    faults.push(fault);
  }
  throw (
    faults.find(({ kind }) => kind === "world") ??
    faults[0] ??
    new TwinsealError("caller", "MIRROR_UNSET", "no Debian mirror is known", {
      hint: "set TWINSEAL_DEBIAN_MIRROR, for example to https://<a mirror>/debian; this machine's apt has no source that could be one",
    })
  );
}

/** Of the Release file, whose signature apt has checked before it kept it. */
async function readRelease(apt: PrivateApt, suite: string): Promise<{ readonly releasedAt: number }> {
  const name = (await readdir(apt.listsDir)).find((one) => /_(In)?Release$/.test(one));
  const text = name === undefined ? "" : await readFile(join(apt.listsDir, name), "utf8");
  const field = (key: string) => new RegExp(`^${key}: (.+)$`, "m").exec(text)?.[1]?.trim() ?? "";
  const [codename, seconds] = [field("Codename"), Math.floor(Date.parse(field("Date")) / 1000)];
  if (!Number.isInteger(seconds)) throw aptFailed(`reading the Release file of ${suite}`, "it has no date");
  if (codename === suite) return { releasedAt: seconds };
  if (field("Suite") === suite) {
    throw new TwinsealError("caller", "SUITE_MOVES", `${suite} is ${codename} for now, and another release later`, {
      hint: `write debian: ${codename}`,
    });
  }
  throw new TwinsealError("alarm", "SUITE_FORGED", `the mirror answers ${codename} when asked for ${suite}`, {
    hint: "nothing was locked; use another mirror",
  });
}

/** What apt would install into an empty machine, sorted by name, each with what the signed index says of it. */
async function resolvePackages(
  apt: PrivateApt,
  asked: readonly string[],
  place: { readonly mirror: string; readonly suite: string },
): Promise<LockedPackage[]> {
  const planned = await apt.run(["apt-get", "-q", "-y", "--print-uris", "install", "--", ...new Set(asked)]);
  if (planned.code !== 0) throw installFault({ ...place, text: `${planned.stderr}\n${planned.stdout}` });
  const chosen = planned.stdout.split("\n").flatMap((line) => {
    const file = /^'[^']+' ([^\s_]+)_([^\s_]+)_[^\s_]+\.deb /.exec(line);
    return file === null
      ? []
      : [{ name: decodeURIComponent(file[1] ?? ""), version: decodeURIComponent(file[2] ?? "") }];
  });
  const absent = asked.find((name) => !chosen.some((one) => one.name === name));
  if (absent !== undefined) throw packageUnknown(absent, place.suite);
  const shown = await apt.run(["apt-cache", "show", "--", ...chosen.map(({ name, version }) => `${name}=${version}`)]);
  if (shown.code !== 0) throw aptFailed("reading the package index", shown.stderr);
  const stanzas = parseDeb822(shown.stdout);
  const found = chosen.map(({ name, version }) => {
    const stanza = stanzas.find((one) => one.get("package") === name && one.get("version") === version);
    const locked = lockedPackageSchema.safeParse({
      name,
      version,
      architecture: stanza?.get("architecture"),
      pool: stanza?.get("filename"),
      sha256: stanza?.get("sha256"),
      sizeBytes: Number(stanza?.get("size")),
    });
    if (!locked.success) throw aptFailed("reading the package index", `its entry for ${name} ${version} is incomplete`);
    return locked.data;
  });
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

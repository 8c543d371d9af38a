import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { runProcess } from "../../builder/process.ts";
import { makeDeb, type DebEntry } from "./deb-maker.ts";
import { openModuleServer, type Faults, type Request } from "./module-server.ts";
import { openPlace } from "./place.ts";

export type TestPackage = {
  readonly name: string;
  readonly depends?: string;
  readonly provides?: string;
  readonly recommends?: string;
  readonly entries?: readonly DebEntry[];
};

/** A signed archive of Debian's form over real HTTP, with a key of its own; gone with its scope. */
export type AptRepository = AsyncDisposable & {
  readonly url: string;
  /** File with the public key. */
  readonly keyring: string;
  /** What the server has, by path; can be changed while it runs. */
  readonly files: Record<string, Buffer>;
  readonly requests: readonly Request[];
  readonly faults: Faults;
};

export type RepositoryOptions = {
  readonly suite?: string;
  readonly codename?: string;
  readonly date?: string;
  readonly validUntil?: string;
  /** Sign nothing. */
  readonly unsigned?: true;
};

/** What a test needs and this machine may lack, in words; undefined when all is here. */
export async function lackOfApt(): Promise<string | undefined> {
  for (const program of ["apt-get", "gpg", "gpgv"]) {
    const found = await run([program, "--version"]).catch(() => undefined);
    if (found?.code !== 0) return `${program} is not installed`;
  }
  return undefined;
}

export async function openAptRepository(
  packages: readonly TestPackage[],
  options: RepositoryOptions = {},
): Promise<AptRepository> {
  const place = await openPlace();
  const gpg = (...args: readonly string[]) =>
    run(["gpg", "--homedir", join(place.dir, "gnupg"), "--batch", "--yes", ...args]);
  await mkdir(join(place.dir, "gnupg"), { mode: 0o700 });
  await must(
    gpg("--passphrase", "", "--quick-generate-key", "Test Archive <archive@example.test>", "ed25519", "sign", "never"),
  );
  const keyring = join(place.dir, "archive.gpg");
  await must(gpg("--output", keyring, "--export"));
  const codename = options.codename ?? "testing-one";
  const files: Record<string, Buffer> = {};
  const stanzas = packages.map((one) => {
    const pool = `pool/main/${one.name}_1.0+b1_amd64.deb`;
    const control = [
      `Package: ${one.name}`,
      "Version: 1:1.0+b1",
      "Architecture: amd64",
      "Maintainer: Test <test@example.test>",
      ...(one.depends === undefined ? [] : [`Depends: ${one.depends}`]),
      ...(one.provides === undefined ? [] : [`Provides: ${one.provides}`]),
      ...(one.recommends === undefined ? [] : [`Recommends: ${one.recommends}`]),
      "Description: a package of a test",
    ];
    const deb = makeDeb(one.entries ?? [{ path: `./usr/lib/${one.name}`, text: one.name }], {
      packing: "zst",
      control: `${control.join("\n")}\n`,
    });
    files[`/${pool.replaceAll("+", "%2B")}`] = deb;
    return [...control, `Filename: ${pool}`, `Size: ${deb.length}`, `SHA256: ${sha256(deb)}`].join("\n");
  });
  const index = Buffer.from(`${stanzas.join("\n\n")}\n`);
  const packed = gzipSync(index);
  const base = `/dists/${options.suite ?? codename}`;
  files[`${base}/main/binary-amd64/Packages.gz`] = packed;
  const release = [
    "Origin: Test",
    `Suite: ${options.suite ?? "testing"}`,
    `Codename: ${codename}`,
    `Date: ${options.date ?? "Sat, 06 Jul 2024 10:20:30 UTC"}`,
    ...(options.validUntil === undefined ? [] : [`Valid-Until: ${options.validUntil}`]),
    "Architectures: amd64",
    "Components: main",
    "SHA256:",
    ` ${sha256(index)} ${index.length} main/binary-amd64/Packages`,
    ` ${sha256(packed)} ${packed.length} main/binary-amd64/Packages.gz`,
  ].join("\n");
  const path = join(place.dir, "Release");
  await writeFile(path, `${release}\n`);
  await must(gpg("--clearsign", "--output", `${path}.signed`, path));
  if (options.unsigned === true) files[`${base}/Release`] = await readFile(path);
  else files[`${base}/InRelease`] = await readFile(`${path}.signed`);
  const server = await openModuleServer(files);
  return {
    url: server.url,
    keyring,
    files,
    requests: server.requests,
    faults: server.faults,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await run(["gpgconf", "--homedir", join(place.dir, "gnupg"), "--kill", "all"]).catch(() => undefined);
      await rm(place.dir, { recursive: true, force: true });
    },
  };
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

const run = (argv: readonly [string, ...string[]]) =>
  runProcess(argv, { env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" }, timeoutMs: 60_000 });

async function must(running: ReturnType<typeof run>): Promise<void> {
  const { code, stderr } = await running;
  if (code !== 0) throw new Error(stderr);
}

import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError } from "../errors.ts";
import { isSnapshot } from "../inputs/debian-mirrors.ts";
import { runProcess, type ProcessResult } from "../process.ts";

/** What apt is told to look at: one suite of one mirror, for one architecture, believed for one keyring alone. */
export type AptTarget = {
  readonly mirror: string;
  readonly suite: string;
  readonly architecture: string;
  /** File of public keys, binary or armored. */
  readonly keyring: string;
};

/** apt with everything of its own below one directory: settings, sources, keys, lists, cache, and an empty package state. */
export type PrivateApt = {
  readonly listsDir: string;
  readonly run: (argv: readonly [string, ...string[]]) => Promise<ProcessResult>;
};

/** Pure: the part of an environment that leads apt to the network. */
export function aptEnvOf(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const passed = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
  return Object.fromEntries(
    passed.flatMap((name) => {
      const value = env[name] ?? env[name.toUpperCase()];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

const TIMEOUT_MS = 10 * 60_000;

/**
 * Prepares a private apt in an empty directory. The file that APT_CONFIG names is read before all others and leads every
 * path away from the machine's own (apt.conf(5)), so neither its settings nor its sources, keys or state count. Signatures
 * are checked by apt, unsigned or weakly signed archives are refused by it. `env` may hold the way to the network only.
 */
export async function openPrivateApt(
  dir: string,
  target: AptTarget,
  env: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<PrivateApt> {
  const directories = [
    "etc/parts",
    "etc/sources",
    "etc/keys",
    "etc/none",
    "lists/partial",
    "cache/archives/partial",
    "tmp",
  ];
  for (const name of directories) await mkdir(join(dir, name), { recursive: true });
  const armored = /\.(asc|sources)$/.test(target.keyring);
  await copyFile(target.keyring, join(dir, "etc/keys", armored ? "keys.asc" : "keys.gpg"));
  await writeFile(join(dir, "status"), "");
  await writeFile(join(dir, "etc/sources/suite.sources"), sourcesText(target));
  await writeFile(join(dir, "apt.conf"), configurationText(dir, target));
  const environment = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ...env,
    LC_ALL: "C",
    HOME: dir,
    TMPDIR: join(dir, "tmp"),
    APT_CONFIG: join(dir, "apt.conf"),
    DEBIAN_FRONTEND: "noninteractive",
  };
  const run: PrivateApt["run"] = async (argv) => {
    try {
      return await runProcess(argv, {
        cwd: dir,
        env: environment,
        timeoutMs: TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (!(error instanceof TwinsealError) || error.code !== "PROCESS_NOT_STARTED") throw error;
      throw new TwinsealError("world", "APT_MISSING", "pinning Debian packages needs apt, and this machine has none", {
        hint: "run twinseal pin on Debian or Ubuntu, or in a container of it; fetch and build do not need apt",
        cause: error,
      });
    }
  };
  return { listsDir: join(dir, "lists"), run };
}

function sourcesText({ mirror, suite, architecture }: AptTarget): string {
  const fields = { Types: "deb", URIs: mirror, Suites: suite, Components: "main", Architectures: architecture };
  return `${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n")}\n`;
}

function configurationText(dir: string, { mirror, architecture }: AptTarget): string {
  const settings: Readonly<Record<string, string>> = {
    Dir: dir,
    "Dir::Etc": join(dir, "etc"),
    "Dir::Etc::main": "none/none",
    "Dir::Etc::parts": "parts",
    "Dir::Etc::sourcelist": "none/none",
    "Dir::Etc::sourceparts": "sources",
    "Dir::Etc::preferences": "none/none",
    "Dir::Etc::preferencesparts": "none",
    "Dir::Etc::trusted": "none/none",
    "Dir::Etc::trustedparts": "keys",
    "Dir::Etc::netrc": "none/none",
    "Dir::Etc::netrcparts": "none",
    "Dir::State": dir,
    "Dir::State::lists": "lists",
    "Dir::State::status": join(dir, "status"),
    "Dir::State::extended_states": join(dir, "extended"),
    "Dir::Cache": join(dir, "cache"),
    "Dir::Log": join(dir, "log"),
    "APT::Architecture": architecture,
    "APT::Architectures::": architecture, // else dpkg is asked for the machine's others
    "APT::Install-Recommends": "false",
    "APT::Install-Suggests": "false",
    "APT::Get::AllowUnauthenticated": "false",
    "APT::Sandbox::User": "", // apt's own user could not enter a private directory
    "APT::Update::Error-Mode": "any", // else a list that could not be had is a warning
    "Acquire::AllowInsecureRepositories": "false",
    "Acquire::AllowWeakRepositories": "false",
    "Acquire::AllowDowngradeToInsecureRepositories": "false",
    "Acquire::Check-Valid-Until": isSnapshot(mirror) ? "false" : "true",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} "${value}";\n`)
    .join("");
}

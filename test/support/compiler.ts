import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createHttp } from "../../builder/http.ts";
import { readHost } from "../../builder/host.ts";
import { debianKeyring, debianMirrors } from "../../builder/inputs/debian-mirrors.ts";
import type { LockedDebian } from "../../builder/recipe/lock.ts";
import { aptEnvOf } from "../../builder/recipe/apt.ts";
import { pinDebian } from "../../builder/recipe/pin-debian.ts";
import type { Store } from "../../builder/store/store.ts";
import { openWorkspace } from "../../builder/workspace.ts";
import { lackOfApt } from "./apt-repository.ts";

/** Why no real Debian compiler can be pinned here, in words; undefined when it can. */
export async function lackOfCompiler(): Promise<string | undefined> {
  const lack = await lackOfApt();
  if (lack !== undefined) return lack;
  if ((await debianMirrors(process.env)).length === 0) return "this machine's apt names no Debian mirror";
  return debianKeyring(process.env).then(
    () => undefined,
    () => "this machine has no keyring of Debian's",
  );
}

/** The release of Debian that runs here, else the one that is current while this is written. */
export async function hostSuite(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(text)?.[1];
  return field("ID") === "debian" ? (field("VERSION_CODENAME") ?? "trixie") : "trixie";
}

/** Pins packages of the real archive; they and their tree lie in the store then. */
export async function pinCompiler(store: Store, suite: string, packages: readonly string[]): Promise<LockedDebian> {
  await using workspace = await openWorkspace(store.root, process.pid, randomUUID());
  return await pinDebian(
    { debian: suite, packages: [...packages] },
    {
      store,
      http: createHttp({ proxyEnv: process.env }),
      host: readHost().platform,
      debianMirrors: () => debianMirrors(process.env),
      debianKeyring: () => debianKeyring(process.env),
      aptEnv: aptEnvOf(process.env),
      workDir: workspace.dir,
      say: () => {},
    },
  );
}

import type { Lock, LockedFile, LockedImage } from "./lock.ts";

/** One thing that a new lock changes, in words; `alarm` where the same identity has other bytes. */
export type LockChange = { readonly alarm: boolean; readonly text: string };

/** What changed between two locks of one recipe. Tree head and download page are no inputs and do not count. */
export function diffLocks(before: Lock, after: Lock): readonly LockChange[] {
  const changes: LockChange[] = [];
  const add = (text: string, alarm = false) => changes.push({ alarm, text });
  if (before.version !== after.version) add(`version ${before.version} -> ${after.version}`);
  if (before.recipe.sha256 !== after.recipe.sha256) add("the recipe changed");
  diffSource(before, after, add);
  if (before.sourceDateEpoch !== after.sourceDateEpoch)
    add(`source date ${before.sourceDateEpoch ?? "none"} -> ${after.sourceDateEpoch ?? "none"}`);
  if (before.go.version !== after.go.version) add(`go ${before.go.version} -> ${after.go.version}`);
  for (const toolchain of after.go.toolchains) {
    const old = before.go.toolchains.find(({ version }) => version === toolchain.version);
    if (old !== undefined && (old.h1 !== toolchain.h1 || old.zip.sha256 !== toolchain.zip.sha256))
      add(`toolchain ${toolchain.version}: same version, other bytes`, true);
  }
  diffCompiler(before, after, add);
  diffModules(before, after, add);
  for (const file of after.files) {
    const old = before.files.find(({ to }) => to === file.to);
    if (old === undefined) add(`file ${file.to} added`);
    else if (old.sha256 !== file.sha256) add(`file ${file.to}: other bytes`, originOf(old) === originOf(file));
  }
  for (const file of before.files) if (!after.files.some(({ to }) => to === file.to)) add(`file ${file.to} removed`);
  return changes;
}

type Add = (text: string, alarm?: boolean) => void;

function diffSource({ source: a, version: from }: Lock, { source: b, version: to }: Lock, add: Add): void {
  if (JSON.stringify(a) === JSON.stringify(b)) return;
  if (a.kind === "git" && b.kind === "git") {
    const paths = ({ submodules }: typeof a) => JSON.stringify(submodules?.map(({ path }) => path));
    if (a.oid === b.oid && paths(a) !== paths(b)) add(`${b.tag}: other submodules`);
    else add(`${b.tag}: commit ${a.commit} -> ${b.commit}`, a.tag === b.tag && a.url === b.url);
  } else if (a.kind === "module" && b.kind === "module") {
    const same = a.path === b.path && a.version === b.version;
    add(
      same
        ? `source ${a.path} ${a.version}: same version, other bytes`
        : `source ${a.path} ${a.version} -> ${b.path} ${b.version}`,
      same,
    );
  } else if (from !== to || a.kind !== b.kind) add(`source ${a.kind} -> ${b.kind}`);
}

function diffCompiler({ compiler: a }: Lock, { compiler: b }: Lock, add: Add): void {
  if (JSON.stringify(a) === JSON.stringify(b)) return;
  if (a?.kind === "image" && b?.kind === "image") return diffImages(a, b, add);
  if (a?.kind !== "debian" || b?.kind !== "debian")
    return add(`C compiler ${a?.kind ?? "none"} -> ${b?.kind ?? "none"}`);
  if (a.suite !== b.suite || a.host !== b.host) add(`C compiler ${a.suite} on ${a.host} -> ${b.suite} on ${b.host}`);
  let changed = false;
  for (const one of b.packages) {
    const old = a.packages.find(({ name }) => name === one.name);
    if (old?.sha256 === one.sha256) continue;
    changed = true;
    const same = old?.version === one.version && old.architecture === one.architecture;
    if (old === undefined) add(`package ${one.name} ${one.version} added`);
    else if (same) add(`package ${one.name} ${one.version}: same version, other bytes`, true);
    else add(`package ${one.name} ${old.version} -> ${one.version}`);
  }
  for (const { name, version } of a.packages) {
    if (b.packages.some((one) => one.name === name)) continue;
    changed = true;
    add(`package ${name} ${version} removed`);
  }
  if (!changed && a.rootfs.sha256 !== b.rootfs.sha256)
    add("the compiler's files are laid out in another way, by another version of twinseal");
}

/** An image is named by its digest: the same name with other layers means that somebody changed a lock. */
function diffImages(a: LockedImage, b: LockedImage, add: Add): void {
  const layersOf = ({ manifest, config, layers }: LockedImage) => JSON.stringify([manifest, config, layers]);
  if (a.image !== b.image) add(`C compiler ${a.image} -> ${b.image}`);
  else if (a.host !== b.host) add(`C compiler ${b.image} on ${a.host} -> on ${b.host}`);
  else if (layersOf(a) !== layersOf(b)) add(`C compiler ${b.image}: same digest, other layers`, true);
  else if (a.rootfs.sha256 !== b.rootfs.sha256)
    add("the compiler's files are laid out in another way, by another version of twinseal");
}

function diffModules(before: Lock, after: Lock, add: Add): void {
  const key = (module: Lock["modules"][number]) => `${module.path} ${module.version}`;
  const old = new Map(before.modules.map((module) => [key(module), module]));
  const fresh = new Map(after.modules.map((module) => [key(module), module]));
  const gone = before.modules.filter((module) => !fresh.has(key(module)));
  for (const module of after.modules) {
    const same = old.get(key(module));
    if (same === undefined) {
      const previous = gone.filter(({ path }) => path === module.path).map(({ version }) => version);
      add(
        previous.length === 0
          ? `module ${module.path} ${module.version} added`
          : `module ${module.path} ${previous.join(", ")} -> ${module.version}`,
      );
    } else if (
      same.goMod.h1 !== module.goMod.h1 ||
      (same.zip !== undefined && module.zip !== undefined && same.zip.h1 !== module.zip.h1)
    ) {
      add(`module ${key(module)}: same version, other bytes`, true);
    } else if ((same.zip === undefined) !== (module.zip === undefined)) {
      add(`module ${key(module)}: its zip is ${module.zip === undefined ? "no longer" : "now"} needed`);
    }
  }
  for (const { path, version } of gone)
    if (!after.modules.some((module) => module.path === path)) add(`module ${path} ${version} removed`);
}

/** The same origin with other bytes is an alarm. */
function originOf(file: LockedFile): string {
  return "url" in file ? file.url : `${file.module}@${file.version} ${file.path}`;
}

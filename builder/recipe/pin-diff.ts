import type { Lock } from "./lock.ts";

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
  if (before.compiler?.kind === "image" && after.compiler?.kind === "image")
    diffImage(before.compiler, after.compiler, add);
  diffModules(before, after, add);
  for (const file of after.files) {
    const old = before.files.find(({ to }) => to === file.to);
    if (old === undefined) add(`file ${file.to} added`);
    else if (old.sha256 !== file.sha256) add(`file ${file.to}: other bytes`, old.url === file.url);
  }
  for (const file of before.files) if (!after.files.some(({ to }) => to === file.to)) add(`file ${file.to} removed`);
  return changes;
}

type Add = (text: string, alarm?: boolean) => void;

function diffSource({ source: a, version: from }: Lock, { source: b, version: to }: Lock, add: Add): void {
  if (JSON.stringify(a) === JSON.stringify(b)) return;
  if (a.kind === "git" && b.kind === "git") {
    add(`${b.tag}: commit ${a.commit} -> ${b.commit}`, a.tag === b.tag && a.url === b.url);
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

type ImageCompiler = Extract<Lock["compiler"], { kind: "image" }>;

/** An image is named by its digest: the same name with other layers means that somebody changed a lock. */
function diffImage(a: ImageCompiler, b: ImageCompiler, add: Add): void {
  const layersOf = ({ manifest, config, layers }: ImageCompiler) => JSON.stringify([manifest, config, layers]);
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

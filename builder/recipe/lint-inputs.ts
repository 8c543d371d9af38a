import { join } from "node:path";
import { readModuleFile } from "../inputs/files.ts";
import { openZip } from "../inputs/zip.ts";
import { hasBlob, verifyBlob, type Store } from "../store/store.ts";
import type { Finding } from "./finding.ts";
import { fullGoVersion } from "./go-version.ts";
import type { Lock, LockedModule } from "./lock.ts";
import type { Recipe } from "./schema.ts";
import { compareVersions } from "./version-order.ts";

type Say = Omit<Finding, "path">;

/**
 * What the inputs themselves say against a lock, as far as they lie in the store; what was never fetched is not judged.
 * Each is digested before it is read. Throws `alarm/STORE_DAMAGED`.
 */
export async function lintInputs(recipe: Recipe, lock: Lock, store: Store, path: string): Promise<Finding[]> {
  const goMod = await readGoMod(recipe, lock, store);
  const found = [
    ...(goMod === undefined ? [] : [...goLineFits(goMod, lock), ...replacements(goMod)]),
    ...(await prebuilt(recipe, lock, store)),
  ];
  return found.map((finding) => ({ ...finding, path }));
}

async function readGoMod(recipe: Recipe, { source }: Lock, store: Store): Promise<string | undefined> {
  if (source.kind !== "module" || !(await hasBlob(store, source.zip.sha256))) return undefined;
  const zip = await verifyBlob(store, source.zip.sha256);
  const name = join(recipe.source.dir ?? "", "go.mod");
  const bytes = await readModuleFile(zip, { module: source.path, version: source.version, path: name });
  return bytes.toString("utf8");
}

/** The pinned toolchain is the only one there is: one that is older than the go line refuses to build. */
export function goLineFits(goMod: string, lock: Pick<Lock, "go">): Say[] {
  const line = /^go[ \t]+(1\.\d+(?:\.\d+)?)/m.exec(goMod)?.[1];
  if (line === undefined || compareVersions(fullGoVersion(line), lock.go.version) <= 0) return [];
  return [
    {
      severity: "error",
      code: "GO_TOO_OLD",
      message: `go.mod wants Go ${line} at least, the lock has ${lock.go.version}`,
      hint: `write go: "${fullGoVersion(line)}" or newer into the recipe and run twinseal pin`,
    },
  ];
}

/** A module that is built in another version than its users were written for: worth a look, above all for an SDK. */
export function replacements(goMod: string): Say[] {
  const required = new Map(
    [...goMod.matchAll(/^(?:require)?[ \t]+(\S+)[ \t]+(v\S+)/gm)].map(([, module = "", version = ""]) => [
      module,
      version,
    ]),
  );
  return [...goMod.matchAll(/^(?:replace)?[ \t]+(\S+)(?:[ \t]+v\S+)?[ \t]+=>[ \t]+(\S+)[ \t]+(v\S+)/gm)].flatMap(
    ([, module = "", by = "", version = ""]): Say[] => {
      const wanted = required.get(module);
      if (wanted === undefined || by !== module || wanted === version) return [];
      return [
        {
          severity: "warning",
          code: "REQUIRED_REPLACED",
          message: `go.mod requires ${module} ${wanted} and replaces it by ${version}`,
          hint: "ask upstream which one was tested",
        },
      ];
    },
  );
}

const linkedByCgo = /\.(a|so|dylib|lib|dll|o|syso)$/;
const linkedAlways = /\.syso$/;
const MAX_NAMED = 3;

/** Machine code that nobody compiles here and that the recipe does not name by its digest. */
async function prebuilt(recipe: Recipe, lock: Lock, store: Store): Promise<Say[]> {
  const cgo = [recipe.build, ...Object.values(recipe.perTarget ?? {})].some((keys) => keys?.cgo === true);
  const named = new Set(
    (recipe.files ?? []).flatMap((file) => ("module" in file ? [`${file.module} ${file.path}`] : [])),
  );
  const found: Say[] = [];
  for (const module of lock.modules) {
    const names = await codeIn(module, cgo ? linkedByCgo : linkedAlways, store);
    const unnamed = names.filter((name) => !named.has(`${module.path} ${name}`));
    if (unnamed.length === 0 || names.length > unnamed.length) continue;
    const more = unnamed.length > MAX_NAMED ? `, and ${unnamed.length - MAX_NAMED} more` : "";
    found.push({
      severity: "warning",
      code: "PREBUILT_CODE",
      message: `${module.path}@${module.version} brings compiled code: ${unnamed.slice(0, MAX_NAMED).join(", ")}${more}`,
      hint: "if the build links it, name it under `files` with module, path and sha256, so that its origin is stated",
    });
  }
  return found;
}

async function codeIn({ path, version, zip }: LockedModule, kind: RegExp, store: Store): Promise<readonly string[]> {
  if (zip === undefined || !(await hasBlob(store, zip.sha256))) return [];
  await using opened = await openZip(await verifyBlob(store, zip.sha256));
  const prefix = `${path}@${version}/`;
  return opened.entries.map(({ name }) => name.slice(prefix.length)).filter((name) => kind.test(name));
}

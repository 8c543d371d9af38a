import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../errors.ts";
import { hosts } from "../platform.ts";
import type { RecipeFile } from "./file-schema.ts";
import type { Finding } from "./finding.ts";
import { misfit } from "./load-lock.ts";
import type { LoadedRecipe } from "./load.ts";
import { clashes } from "./lint-recipe.ts";
import type { Lock, LockedFile } from "./lock.ts";
import { expandPlaceholders, placeholderValues } from "./placeholders.ts";

type Subject = { readonly lock: Lock; readonly loaded: Pick<LoadedRecipe, "recipe" | "sha256"> };
type Say = Omit<Finding, "path">;

/** Whether a lock is what `pin` would have written for this recipe, as far as can be told without network. Pure. */
export function lintLock(subject: Subject, path: string): Finding[] {
  const rules = [
    fits,
    sameSource,
    sameGo,
    sameCompiler,
    hostsLocked,
    modulesInOrder,
    placesDiffer,
    filesLocked,
    librariesFit,
    placeholdersKnown,
    noPlaces,
  ];
  return rules.flatMap((rule) => rule(subject)).map((finding) => ({ ...finding, path }));
}

function error(code: string, message: string, hint?: string): Say {
  return { severity: "error", code, message, ...(hint === undefined ? {} : { hint }) };
}

function fits({ lock, loaded }: Subject): Say[] {
  const what = misfit(lock, loaded);
  return what === undefined
    ? []
    : [error("LOCK_STALE", what, `run twinseal pin ${loaded.recipe.name}@${lock.version}`)];
}

function sameSource({ lock, loaded: { recipe } }: Subject): Say[] {
  const { source } = recipe;
  const locked = lock.source;
  const same =
    ("module" in source && locked.kind === "module" && locked.path === source.module) ||
    ("path" in source && locked.kind === "path" && locked.path === source.path) ||
    ("git" in source &&
      locked.kind === "git" &&
      locked.url === source.git &&
      locked.tag === source.tag.replaceAll("{version}", lock.version) &&
      isDeepStrictEqual(locked.submodules?.map(({ path }) => path).toSorted(), source.submodules?.toSorted()));
  return same ? [] : [error("SOURCE_DIFFERS", "the lock's source is not the recipe's", "run twinseal pin")];
}

function sameGo({ lock, loaded: { recipe } }: Subject): Say[] {
  const version = lock.go.version.replace(/^go/, "");
  const asked = recipe.go;
  const found: Say[] = [];
  // A bare `1.25` names the first release of that line.
  if (asked !== "auto" && version !== asked && version !== `${asked}.0`) {
    found.push(error("GO_DIFFERS", `the recipe wants Go ${asked}, the lock has ${version}`, "run twinseal pin"));
  }
  for (const { host, version: toolchain } of lock.go.toolchains) {
    const expected = `v0.0.1-go${version}.${host.replace("/", "-")}`;
    if (toolchain !== expected)
      found.push(
        error("TOOLCHAIN_DIFFERS", `the toolchain for ${host} is ${toolchain}, not ${expected}`, "run twinseal pin"),
      );
  }
  return found;
}

function hostsLocked({ lock }: Subject): Say[] {
  const locked = lock.go.toolchains.map((toolchain) => toolchain.host);
  return [
    ...hosts
      .filter((host) => !locked.includes(host))
      .map((host): Say => ({
        severity: "warning",
        code: "HOST_NOT_LOCKED",
        message: `has no Go toolchain for ${host}: nobody can build it there`,
        hint: "run twinseal pin again when it is published",
      })),
    ...(new Set(locked).size === locked.length
      ? []
      : [error("HOST_TWICE", "a host has two toolchains", "run twinseal pin")]),
  ];
}

function modulesInOrder({ lock }: Subject): Say[] {
  const names = lock.modules.map((module) => `${module.path}@${module.version}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  const paths = lock.modules.map((module) => module.path);
  const sorted = paths.every((path, index) => index === 0 || (paths[index - 1] ?? "") <= path);
  return [
    ...(twice === undefined ? [] : [error("MODULE_TWICE", `${twice} is there twice`, "run twinseal pin")]),
    ...(sorted ? [] : [error("MODULES_UNSORTED", "the modules are not in order", "run twinseal pin")]),
  ];
}

function placesDiffer({ lock }: Subject): Say[] {
  return clashes([...lock.files, ...lock.inputs].map((file) => file.to)).map(([first, second]) =>
    error("PLACES_CLASH", `${second} and ${first} cannot both be there`),
  );
}

function filesLocked({ lock, loaded: { recipe } }: Subject): Say[] {
  const key = (file: RecipeFile | LockedFile) =>
    `${file.to}\n${"url" in file ? file.url : `${file.module} ${file.path}`}`;
  const asked = recipe.files ?? [];
  const same =
    isDeepStrictEqual(asked.map(key).toSorted(), lock.files.map(key).toSorted()) &&
    asked.every(
      (file) =>
        file.sha256 === undefined ||
        lock.files.some((locked) => key(locked) === key(file) && locked.sha256 === file.sha256),
    );
  return same ? [] : [error("FILES_DIFFER", "the lock's files are not the recipe's", "run twinseal pin")];
}

/** A library that a release of a module's repository publishes must be of the version that the build links. */
function librariesFit({ lock }: Subject): Say[] {
  return lock.files.flatMap((file) => {
    const [, repository = "", tag = ""] =
      /^https:\/\/(github\.com\/[^/]+\/[^/]+)\/releases\/download\/([^/]+)\//.exec("url" in file ? file.url : "") ?? [];
    const module = lock.modules.find(
      ({ path, zip }) => zip !== undefined && path.replace(/\/v\d+$/, "").toLowerCase() === repository.toLowerCase(),
    );
    if (module === undefined || module.version === tag) return [];
    return [
      error(
        "LIBRARY_VERSION_DIFFERS",
        `${file.to} is of ${repository} ${tag}, and the build uses ${module.path} ${module.version}`,
        `take the file of ${module.version}, with its sha256, into the recipe`,
      ),
    ];
  });
}

function sameCompiler({ lock: { compiler: locked }, loaded: { recipe } }: Subject): Say[] {
  const asked = recipe.compiler;
  const same =
    asked === undefined
      ? locked === undefined
      : "debian" in asked
        ? locked?.kind === "debian" &&
          locked.suite === asked.debian &&
          asked.packages.every((name) => locked.packages.some((one) => one.name === name))
        : locked?.kind === "image" && locked.image === asked.image;
  return same ? [] : [error("COMPILER_DIFFERS", "the lock's C compiler is not the recipe's", "run twinseal pin")];
}

function placeholdersKnown({ lock, loaded: { recipe } }: Subject): Say[] {
  const values = placeholderValues(lock, recipe.build.tags ?? []);
  const texts = [
    recipe.build.ldflags,
    recipe.check?.prints,
    ...Object.values(recipe.perTarget ?? {}).map((keys) => keys?.ldflags),
  ];
  return texts.flatMap((text) => {
    try {
      expandPlaceholders(text ?? "", values);
      return [];
    } catch (fault) {
      return [error("PLACEHOLDER_UNKNOWN", messageOf(fault))];
    }
  });
}

/** A lock says what, never from where: a URL or a path of somebody's machine in it would be followed by nobody, or worse. */
function noPlaces({ lock }: Subject): Say[] {
  const { checksumDatabase: _name, source, files, ...rest } = lock;
  const identities = source.kind === "git" ? { ...source, url: "" } : source;
  const texts = stringsOf([rest, identities, files.map((file) => ({ ...file, url: "", to: "" }))]);
  return texts
    .filter((text) => /^[a-z][a-z+.-]*:\/\//i.test(text) || /^(\/|[A-Za-z]:\\|~)/.test(text))
    .map((text) =>
      error(
        "LOCK_HOLDS_PLACE",
        `${JSON.stringify(text)} is a place; a lock holds identities and digests`,
        "run twinseal pin",
      ),
    );
}

function stringsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}

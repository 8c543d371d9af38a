/** What `init` needs of a go.mod. */
export type GoMod = {
  readonly module: string;
  readonly go: string | undefined;
  readonly toolchain: string | undefined;
};

/** Reads the directives of a go.mod that stand alone on a line (https://go.dev/ref/mod#go-mod-file); undefined without `module`. */
export function parseGoMod(text: string): GoMod | undefined {
  const directive = (name: string) => {
    const value = new RegExp(`^${name}[ \\t]+("[^"]+"|\`[^\`]+\`|[^\\s/]\\S*)`, "m").exec(text)?.[1];
    return value?.replace(/^["`]|["`]$/g, "");
  };
  const module = directive("module") ?? /^module[ \t]*\(\s*("?)([^\s"()]+)\1/m.exec(text)?.[2];
  return module === undefined ? undefined : { module, go: directive("go"), toolchain: directive("toolchain") };
}

/** Last part of a module path that is a name: `github.com/o/app/v3` and `gopkg.in/app.v2` are both `app`. */
export function moduleName(module: string): string {
  const parts = module.split("/").filter((part) => part !== "");
  const last = parts.at(-1) ?? "";
  const name = /^v\d+$/.test(last) && parts.length > 1 ? (parts.at(-2) ?? last) : last.replace(/\.v\d+$/, "");
  return recipeName(name);
}

/** The nearest name that a recipe may have. */
export function recipeName(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/g, "-")
    .replace(/^[^a-z0-9]+/, "");
  return name === "" ? "app" : name;
}

import { stringify } from "yaml";

/** Everything that the text of a new recipe is made of. */
export type RecipeDraft = {
  readonly name: string;
  readonly schemaPath: string;
  readonly source:
    | { readonly git: string; readonly tag: string; readonly dir: string }
    | { readonly module: string }
    | { readonly path: string };
  readonly module: string;
  readonly goLine: string | undefined;
  readonly mainPackage: string;
  readonly otherPackages: readonly string[];
  /** A string variable of package main that holds the version. */
  readonly versionVariable: string | undefined;
};

/** A recipe as a person would have begun it, with what to decide next as comments. */
export function renderDraft(draft: RecipeDraft): string {
  const lines = [
    `# yaml-language-server: $schema=${draft.schemaPath}`,
    "recipe: 1",
    `name: ${scalar(draft.name)}`,
    ...sourceLines(draft),
    ...goLines(draft.goLine),
    "targets: [linux/amd64, linux/arm64]",
    "build:",
    `  package: ${scalar(draft.mainPackage)}`,
    ...(draft.otherPackages.length === 0 ? [] : [`  # other main packages: ${draft.otherPackages.join(" ")}`]),
    `  ldflags: -s -w -buildid=${draft.versionVariable === undefined ? "" : ` -X main.${draft.versionVariable}={version}`}`,
    "# What the program prints proves that it starts; uncomment what fits:",
    '# check: {run: [--version], prints: "{version}"}',
  ];
  return `${lines.join("\n")}\n`;
}

function sourceLines({ source, module }: RecipeDraft): string[] {
  if ("git" in source) {
    const dir = source.dir === "." ? "" : `, dir: ${scalar(source.dir)}`;
    return [`source: {git: ${scalar(source.git)}, tag: ${scalar(source.tag, true)}${dir}}`];
  }
  if ("module" in source) return [`source: {module: ${scalar(source.module)}}`];
  return [
    "# A directory is for trying out and can never be sealed. For a release name what everybody can fetch, for example:",
    `# source: {module: ${module}}`,
    '# source: {git: https://host/owner/repo, tag: "v{version}"}',
    `source: {path: ${scalar(source.path)}}`,
  ];
}

function goLines(goLine: string | undefined): string[] {
  if (goLine === undefined || /^\d+\.\d+\.\d+/.test(goLine)) return ["go: auto"];
  return [
    `# go.mod says ${goLine}, which names a language; auto takes its first release. Name a newer one in quotes: go: "1.25.7"`,
    "go: auto",
  ];
}

/** One YAML scalar, quoted where it has to be. */
function scalar(text: string, quoted = false): string {
  return stringify(text, {
    lineWidth: 0,
    defaultStringType: quoted || /[{}[\],]/.test(text) ? "QUOTE_DOUBLE" : "PLAIN",
  }).trimEnd();
}

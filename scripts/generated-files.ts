import { z } from "zod";
import { dimensions } from "../builder/dimensions.ts";
import { lockSchema } from "../builder/recipe/lock.ts";
import { recipeSchema } from "../builder/recipe/schema.ts";
import { reportSchema } from "../builder/report.ts";
import { runSchema } from "../builder/run.ts";
import { replaceSection } from "./doors.ts";
import { nodeAt, renderKeyTable, type SchemaNode } from "./recipe-table.ts";

/** A file that is written from the schemas. `before` is what it holds now; undefined where it is not there yet. */
export type GeneratedFile = { readonly path: string; readonly render: (before: string | undefined) => string };

const schemas: readonly { readonly name: string; readonly title: string; readonly schema: z.core.$ZodType }[] = [
  { name: "recipe", title: "twinseal recipe", schema: recipeSchema },
  { name: "lock", title: "twinseal lock", schema: lockSchema },
  { name: "run", title: "twinseal run", schema: runSchema },
  { name: "report", title: "twinseal report", schema: reportSchema },
];

/** Sections of docs/recipe.md and the part of the recipe's schema that each shows. */
const tables: readonly { readonly section: string; readonly path: readonly (string | number)[] }[] = [
  { section: "recipe", path: [] },
  { section: "source-git", path: ["source", 0] },
  { section: "source-module", path: ["source", 1] },
  { section: "source-path", path: ["source", 2] },
  { section: "compiler-debian", path: ["compiler", 0] },
  { section: "compiler-image", path: ["compiler", 1] },
  { section: "build", path: ["build"] },
  { section: "perVersion", path: ["perVersion", "[]"] },
  { section: "files-url", path: ["files", "[]", 0] },
  { section: "files-module", path: ["files", "[]", 1] },
  { section: "outputs", path: ["outputs", "[]"] },
  { section: "allow", path: ["allow"] },
  { section: "check", path: ["check"] },
  { section: "links", path: ["check", "links"] },
  { section: "inputs", path: ["inputs", "*"] },
];

const comment = ["<!-- ", " -->"] as const;

export const generatedFiles: readonly GeneratedFile[] = [
  ...schemas.map(({ name, title, schema }) => ({
    path: `manifests/schema/${name}.schema.json`,
    render: () => renderSchema(title, schema),
  })),
  { path: "docs/recipe.md", render: (before) => renderRecipeDocument(before ?? "") },
];

function renderSchema(title: string, schema: z.core.$ZodType): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input", reused: "inline", unrepresentable: "any" });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}

function renderRecipeDocument(before: string): string {
  const root: SchemaNode = JSON.parse(renderSchema("", recipeSchema));
  const withTables = tables.reduce(
    (text, { section, path }) => replaceSection(text, section, renderKeyTable(nodeAt(root, path)), comment),
    before,
  );
  const rows = dimensions.map(({ id, about }) => `| \`${id}\` | ${about} |`);
  return replaceSection(
    withTables,
    "dimensions",
    ["| dimension | what differs |", "|---|---|", ...rows].join("\n"),
    comment,
  );
}

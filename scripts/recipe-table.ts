/** The parts of a JSON Schema (2020-12) that zod writes and the tables read. */
export type SchemaNode = {
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | SchemaNode;
  readonly propertyNames?: SchemaNode;
  readonly items?: boolean | SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
};

/** A table of an object's keys: name, what may be written, whether it must be there, and its description. */
export function renderKeyTable(node: SchemaNode): string {
  const rows = Object.entries(node.properties ?? {}).map(([key, value]) => {
    const needed = node.required?.includes(key) === true ? "yes" : "";
    return `| \`${key}\` | ${cell(kindOf(value))} | ${needed} | ${cell(value.description ?? "")} |`;
  });
  return ["| key | value | required | meaning, and what is trusted |", "|---|---|---|---|", ...rows].join("\n");
}

/** The node at a path of keys; `[]` is a list's entry, `*` a map's value, a number a variant. Throws where there is none. */
export function nodeAt(root: SchemaNode, path: readonly (string | number)[]): SchemaNode {
  return path.reduce<SchemaNode>((node, step) => {
    const child = childOf(node, step);
    if (typeof child !== "object") throw new Error(`the schema has no ${path.join(".")}`);
    return child;
  }, root);
}

function childOf(node: SchemaNode, step: string | number): boolean | SchemaNode | undefined {
  if (typeof step === "number") return node.anyOf?.[step];
  if (step === "[]") return node.items;
  return step === "*" ? node.additionalProperties : node.properties?.[step];
}

function kindOf(node: SchemaNode): string {
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((one) => `\`${String(one)}\``).join(" or ");
  if (node.anyOf !== undefined) return node.anyOf.map(variantName).join(" or ");
  if (node.type === "array") return listOf(node);
  if (node.type === "object") return "keys and values";
  return node.type === "boolean" ? "true or false" : node.format === "uri" ? "URL" : "text";
}

function listOf(node: SchemaNode): string {
  const entry = typeof node.items === "object" ? node.items : undefined;
  return entry?.type === "array" ? "list of argv lists" : entry?.type === "object" ? "list of keys and values" : "list";
}

function variantName(node: SchemaNode): string {
  const [first = "value"] = Object.keys(node.properties ?? {});
  return `\`{${first}: …}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

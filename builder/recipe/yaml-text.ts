import {
  LineCounter,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  parseAllDocuments,
  visit,
  type Document,
  type Node,
} from "yaml";
import { sortProblems, type Position, type Problem } from "./problem.ts";

/** A YAML file as plain data, with the places where its parts stand. */
export type YamlText = {
  readonly value: unknown;
  /** Where the value at a path stands; of a path that leads nowhere, its nearest existing ancestor. */
  readonly positionOf: (path: readonly PropertyKey[]) => Position;
  /** Where a key of the map at a path stands. */
  readonly positionOfKey: (path: readonly PropertyKey[], key: string) => Position;
  /** A scalar as it is written, for example `1.20` where the value is 1.2. */
  readonly writtenAt: (path: readonly PropertyKey[]) => string | undefined;
};

/** What to do about an error of the `yaml` package, by its code. */
const hints: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "keep one of them",
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "indent with two spaces",
  MULTILINE_IMPLICIT_KEY: "is a quote or a bracket left open?",
};

/**
 * Parses the one YAML document of a file. Refused: several documents, anchors, aliases, merge keys, tags, and keys that
 * are not text: a reviewer must see at the place what is there.
 */
export function readYaml(text: string): YamlText | readonly Problem[] {
  try {
    return readDocument(text);
  } catch (error) {
    // The parser recurses; no recipe is nested so deep that the stack ends.
    if (error instanceof RangeError) return [{ line: 1, column: 1, what: "the file is nested too deeply" }];
    throw error;
  }
}

function readDocument(text: string): YamlText | readonly Problem[] {
  const lines = new LineCounter();
  // A byte order mark is no content, and editors of Windows write one.
  const content = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const documents = [...parseAllDocuments(content, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })];
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const [document, second] = documents;
  if (document === undefined || document.contents === null) return [{ line: 1, column: 1, what: "the file is empty" }];
  if (document.errors.some((error) => /call stack/i.test(error.message))) throw new RangeError("nested too deeply");
  const problems: Problem[] = document.errors.map((error) => {
    const hint = hints[error.code];
    return {
      ...at(error.pos[0]),
      what: error.code === "DUPLICATE_KEY" ? "this key is there twice" : `wrong YAML: ${lowerFirst(error.message)}`,
      ...(hint === undefined ? {} : { hint }),
    };
  });
  // %YAML 1.1 would turn `no` and `12:30` into something else, %TAG would rename tags.
  if (document.directives.yaml.explicit === true || content.trimStart().startsWith("%")) {
    problems.push({ line: 1, column: 1, what: "a % directive is not allowed", hint: "remove it" });
  }
  if (second !== undefined) {
    problems.push({
      ...at(second.contents?.range[0] ?? second.range[0]),
      what: "a second YAML document begins here",
      hint: "a recipe is one document; remove it",
    });
  }
  problems.push(...refusedNodes(document, at));
  if (problems.length > 0) return sortProblems(problems);
  return {
    value: document.toJS({ maxAliasCount: 0 }),
    positionOf: (path) => at(nearest(document, path)?.range?.[0] ?? 0),
    positionOfKey: (path, key) => at(keyOffset(document, path, key) ?? nearest(document, path)?.range?.[0] ?? 0),
    writtenAt: (path) => {
      const node = exact(document, path);
      return isScalar(node) ? (node.source ?? String(node.value)) : undefined;
    },
  };
}

function refusedNodes(document: Document.Parsed, at: (offset: number) => Position): Problem[] {
  const problems: Problem[] = [];
  const refuse = (node: Node, what: string, hint: string) => problems.push({ ...at(node.range?.[0] ?? 0), what, hint });
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) refuse(node, `the alias *${node.source} is not allowed`, "write the value out");
      else if (node.anchor !== undefined)
        refuse(node, `the anchor &${node.anchor} is not allowed`, "write the value out where it is needed");
      else if (node.tag !== undefined)
        refuse(node, `the tag ${node.tag} is not allowed`, "remove it, or put text in quotes");
    },
    Pair: (_key, pair) => {
      const key = pair.key;
      if (isScalar(key) && key.value === "<<") refuse(key, "a merge key is not allowed", "write the keys out");
      else if (isScalar(key) && key.value === "__proto__") refuse(key, "__proto__ is no key of a recipe", "remove it");
      else if (isNode(key) && !(isScalar(key) && typeof key.value === "string"))
        refuse(key, "a key must be text", "put it in quotes");
    },
  });
  return problems;
}

function exact(document: Document.Parsed, path: readonly PropertyKey[]): Node | undefined {
  const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  return isNode(node) ? node : undefined;
}

function nearest(document: Document.Parsed, path: readonly PropertyKey[]): Node | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = exact(document, path.slice(0, length));
    if (node !== undefined) return node;
  }
  return undefined;
}

function keyOffset(document: Document.Parsed, path: readonly PropertyKey[], key: string): number | undefined {
  const map = exact(document, path);
  const pair = isMap(map)
    ? map.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key)
    : undefined;
  return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

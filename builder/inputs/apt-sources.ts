/** One archive that apt is told to use. */
export type AptSource = {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
};

/**
 * The archives of binary packages in a file of sources.list(5), either style by its name (`.sources` is deb822, all else one
 * line each), that can be fetched from: http, https and file. Options, comments and what is switched off are passed over; so
 * is what cannot be understood, as apt itself will say what is wrong with it. Pure.
 */
export function parseAptSources(fileName: string, text: string): readonly AptSource[] {
  const found = fileName.endsWith(".sources") ? parseDeb822(text).flatMap(ofStanza) : text.split("\n").flatMap(ofLine);
  return found.filter(({ uri }) => /^(https?|file):/.test(uri) && URL.canParse(uri));
}

/** Stanzas of RFC 822 style fields (deb822(5)), field names in lower case, the lines of a value joined by spaces. */
export function parseDeb822(text: string): readonly ReadonlyMap<string, string>[] {
  const stanzas: Map<string, string>[] = [];
  let stanza: Map<string, string> | undefined;
  let field = "";
  for (const line of text.split("\n").map((one) => one.trimEnd())) {
    if (line.startsWith("#")) continue;
    if (line === "") stanza = undefined;
    else if (/^[ \t]/.test(line)) stanza?.set(field, `${stanza.get(field) ?? ""} ${line.trim()}`.trim());
    else {
      const colon = line.indexOf(":");
      if (colon <= 0) continue;
      if (stanza === undefined) stanzas.push((stanza = new Map()));
      field = line.slice(0, colon).toLowerCase();
      stanza.set(field, line.slice(colon + 1).trim());
    }
  }
  return stanzas;
}

function ofStanza(stanza: ReadonlyMap<string, string>): readonly AptSource[] {
  const words = (field: string) => (stanza.get(field) ?? "").split(/\s+/).filter((word) => word !== "");
  const off = ["no", "false", "without", "off", "disable"].includes((stanza.get("enabled") ?? "").toLowerCase());
  if (off || !words("types").includes("deb")) return [];
  const [suites, components] = [words("suites"), words("components")];
  return words("uris").map((uri) => ({ uri, suites, components }));
}

function ofLine(line: string): readonly AptSource[] {
  const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
  if (match === null) return [];
  const [, uri = "", suite = "", components = ""] = match;
  return [{ uri, suites: [suite], components: components.split(/\s+/).filter((word) => word !== "") }];
}

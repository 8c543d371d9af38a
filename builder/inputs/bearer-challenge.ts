/** What a WWW-Authenticate header wants: a token of the server at `realm` (RFC 6750, section 3). */
export type BearerChallenge = { readonly realm: string; readonly service: string | undefined };

const parameter = /^\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)/;

/** The first Bearer challenge of a header (RFC 9110, section 11.6.1); undefined without one. */
export function bearerChallenge(header: string): BearerChallenge | undefined {
  const start = /(?:^|,)\s*Bearer\s+/i.exec(header);
  if (start === null) return undefined;
  const values = new Map<string, string>();
  let rest = header.slice(start.index + start[0].length);
  for (let found = parameter.exec(rest); found !== null; found = parameter.exec(rest)) {
    const [all, name = "", quoted, plain] = found;
    values.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "");
    rest = rest.slice(all.length);
  }
  const realm = values.get("realm");
  return realm === undefined ? undefined : { realm, service: values.get("service") };
}

/**
 * Linker flags that a recipe may give, and whether a value follows them as a word of its own (`go tool link`). Those that
 * would let the linker take or put something elsewhere are not among them: -importcfg, -o, -L, -r, -I, -extld, -tmpdir.
 */
const allowed: Readonly<Record<string, boolean>> = {
  s: false,
  w: false,
  X: true,
  B: true,
  H: true,
  buildid: true,
  linkmode: true,
  extldflags: true,
  compressdwarf: false,
  checklinkname: false,
};

/** What a recipe's ldflags hold that they may not, in words; undefined when there is nothing. Pure. */
export function ldflagsFault(text: string): string | undefined {
  const words = splitWords(text);
  if (words === undefined) return "has a quote that is not closed";
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const [, name = "", value] = /^--?([A-Za-z]+)(=[^]*)?$/.exec(word) ?? [];
    const takesValue = allowed[name];
    if (takesValue === undefined) {
      return `holds ${JSON.stringify(word)}; a recipe may use ${Object.keys(allowed)
        .map((one) => `-${one}`)
        .join(" ")}`;
    }
    if (takesValue && value === undefined) at++;
  }
  return undefined;
}

/** As the go command splits flags (cmd/internal/quoted): at white space, or between quotes that begin a word. */
function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  for (let rest = text.trimStart(); rest !== "";) {
    const quote = /^["']/.exec(rest)?.[0];
    const end = quote === undefined ? rest.search(/\s|$/) : rest.indexOf(quote, 1);
    if (end < 0) return undefined;
    words.push(rest.slice(quote === undefined ? 0 : 1, end));
    rest = rest.slice(quote === undefined ? end : end + 1).trimStart();
  }
  return words;
}

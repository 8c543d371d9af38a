/** One entry of a tar of a test; all that a layer can hold, the illegal too. */
export type MadeEntry = {
  readonly name: string | Buffer;
  /** The header's type byte: 0 file, 1 hard link, 2 symbolic link, 3 device, 5 directory, 6 pipe. */
  readonly type?: string;
  readonly target?: string;
  readonly mode?: number;
  readonly body?: string | Uint8Array;
  /** Records of a pax header in front. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** What the header says of the size, where it lies. */
  readonly sizeBytes?: number;
};

export const file = (name: string, body: string | Uint8Array = name, mode = 0o644): MadeEntry => ({ name, body, mode });
export const directory = (name: string, mode = 0o755): MadeEntry => ({ name: `${name}/`, type: "5", mode });
export const symlink = (name: string, target: string): MadeEntry => ({ name, type: "2", target, mode: 0o777 });
export const hardlink = (name: string, target: string): MadeEntry => ({ name, type: "1", target });
/** What hides a name of lower layers. */
export const whiteout = (path: string): MadeEntry => file(path.replace(/([^/]*)$/, ".wh.$1"), "");
/** What hides all of lower layers in a directory. */
export const opaque = (path: string): MadeEntry => file(`${path}/.wh..wh..opq`, "");

const BLOCK = 512;

export function makeTar(entries: readonly MadeEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => [...(entry.pax === undefined ? [] : paxOf(entry.pax)), ...blocksOf(entry)]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function blocksOf(entry: MadeEntry): Buffer[] {
  const body = Buffer.from(entry.body ?? "");
  const header = Buffer.alloc(BLOCK);
  Buffer.from(entry.name).copy(header, 0, 0, 100);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  octal(entry.mode ?? 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(entry.sizeBytes ?? body.length, 124, 12);
  octal(1_700_000_000, 136, 12);
  header.write(entry.type ?? "0", 156, "latin1");
  header.write(entry.target ?? "", 157, 100, "utf8");
  header.write("ustar\x0000", 257, "latin1");
  header.fill(0x20, 148, 156);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    8,
  );
  return [header, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)];
}

function paxOf(records: Readonly<Record<string, string | Buffer>>): Buffer[] {
  const body = Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
      let length = rest.length;
      while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
  return blocksOf({ name: "PaxHeaders/x", type: "x", body });
}

import { gzipSync, zstdCompressSync } from "node:zlib";
import { Header } from "tar";

/** One entry of a package's data.tar, as hostile as is wanted. */
export type DebEntry = {
  readonly path: string;
  readonly type?: "File" | "Directory" | "SymbolicLink" | "Link" | "CharacterDevice" | "BlockDevice" | "FIFO";
  readonly linkpath?: string;
  readonly text?: string;
  readonly bytes?: Buffer;
  readonly mode?: number;
};

export type DebOptions = {
  readonly packing?: "none" | "gz" | "zst";
  /** Instead of the tar made of the entries; packed as said. */
  readonly data?: Buffer;
  /** Text of the control file. */
  readonly control?: string;
};

/** A Debian package: ar of debian-binary, control.tar and data.tar. */
export function makeDeb(entries: readonly DebEntry[], options: DebOptions = {}): Buffer {
  const { packing = "none", control = "Package: test\n" } = options;
  const data = options.data ?? makeTar(entries);
  const pack = { none: (bytes: Buffer) => bytes, gz: gzipSync, zst: zstdCompressSync }[packing];
  return makeAr([
    { name: "debian-binary", bytes: Buffer.from("2.0\n") },
    { name: "control.tar", bytes: makeTar([{ path: "./control", text: control }]) },
    { name: packing === "none" ? "data.tar" : `data.tar.${packing}`, bytes: pack(data) },
  ]);
}

export type ArPart = { readonly name: string; readonly bytes: Buffer; readonly statedBytes?: number };

export function makeAr(parts: readonly ArPart[]): Buffer {
  return Buffer.concat([
    Buffer.from("!<arch>\n"),
    ...parts.flatMap(({ name, bytes, statedBytes = bytes.length }) => [
      Buffer.from(
        `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(statedBytes).padEnd(10)}\`\n`,
      ),
      bytes,
      Buffer.alloc(bytes.length % 2, "\n"),
    ]),
  ]);
}

export function makeTar(entries: readonly DebEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, type = "File", linkpath, text = "", bytes = Buffer.from(text), mode }) => {
    const size = bytes.length;
    const usual = type === "Directory" ? 0o755 : 0o644;
    const header = new Header({
      path,
      type,
      size,
      mode: mode ?? usual,
      ...(linkpath === undefined ? {} : { linkpath }),
    });
    const block = Buffer.alloc(512);
    header.encode(block, 0);
    return [block, bytes, Buffer.alloc((512 - (size % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

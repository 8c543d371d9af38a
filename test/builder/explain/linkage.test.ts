import { copyFile, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkLinkage, linkageFaults } from "../../../builder/check-linkage.ts";
import { compareDotted, readLinkage } from "../../../builder/explain/linkage.ts";
import { openToolchain, repository } from "../../support/toolchain.ts";

describe("what a program links to", () => {
  it("is read from its headers: the libraries and the glibc of the Node that runs this, nothing for Go's own static command", async () => {
    const node = await readLinkage(process.execPath);
    expect(node?.needed).toEqual(expect.arrayContaining(["libc.so.6", "libm.so.6"]));
    expect(node?.glibc).toMatch(/^2\.\d+$/);
    const { goroot } = await openToolchain();
    expect(await readLinkage(join(goroot, "bin/go"))).toEqual({ needed: [] });
    expect(await readLinkage(join(repository, "package.json"))).toBeUndefined();
  });

  it("is also what no ordinary program has: an auditor, a filter, another loader", async () => {
    const bytes = await readFile(process.execPath);
    const at = (offset: number) => Number(bytes.readBigUInt64LE(offset));
    const headers = Array.from({ length: bytes.readUInt16LE(56) }, (_, index) => at(32) + index * 56);
    const dynamic = headers.find((header) => bytes.readUInt32LE(header) === 2) ?? 0;
    const loader = headers.find((header) => bytes.readUInt32LE(header) === 3) ?? 0;
    bytes.write("/tmp/evil\0", at(loader + 8), "latin1");
    bytes.writeBigUInt64LE(0x6fff_fefcn, at(dynamic + 8)); // its first entry names a library
    const dir = await mkdtemp(join(tmpdir(), "twinseal-linkage-"));
    try {
      await writeFile(join(dir, "program"), bytes);
      const linkage = await readLinkage(join(dir, "program"));
      expect(linkage?.needed).toEqual(
        expect.arrayContaining([expect.stringMatching(/^lib\S+ \(DT_AUDIT\)$/), "/tmp/evil (PT_INTERP)"]),
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it("is a fault, not a crash, where the headers lead out of the file", async () => {
    const dir = await mkdtemp(join(tmpdir(), "twinseal-linkage-"));
    try {
      const path = join(dir, "program");
      await copyFile(process.execPath, path);
      await using file = await open(path, "r+");
      await file.write(Buffer.from("ffffffffffff0000", "hex"), 0, 8, 32); // where the program headers lie
      expect((await checkLinkage(path, { needed: [] })).faults).toEqual([
        expect.stringContaining("its headers cannot be read"),
      ]);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it("is held against the recipe, library by library, and glibc as a version", () => {
    const linkage = { needed: ["libc.so.6", "libwasmvm.so"], runpath: "$ORIGIN", glibc: "2.34" };
    const wanted = { needed: ["libwasmvm.so", "libc.so.6"], runpath: "$ORIGIN", glibc: "2.34" };
    expect(linkageFaults(linkage, wanted)).toEqual([]);
    expect(linkageFaults(linkage, { ...wanted, glibc: "2.9" })).toEqual([
      "it wants glibc 2.34, newer than the recipe's 2.9",
    ]);
    expect(linkageFaults(linkage, { needed: ["libc.so.6"] })).toHaveLength(3);
    expect(linkageFaults({ needed: [] }, { needed: ["libc.so.6"] })).toEqual([
      "it needs no library, and the recipe says libc.so.6",
    ]);
    expect(["2.34", "2.9", "2.9.1", "2.38"].toSorted(compareDotted)).toEqual(["2.9", "2.9.1", "2.34", "2.38"]);
  });
});

import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createHttp } from "../../../builder/http.ts";
import { openChecksumDatabase } from "../../../builder/inputs/checksum-database.ts";
import { openChecksumLog, recordOf, type ChecksumLog } from "../../support/checksum-log.ts";
import { openPlace } from "../../support/place.ts";
import { readLock, testProxies } from "../../support/toolchain.ts";

const names = Array.from({ length: 700 }, (_, index) => `example.test/m${index}`);
const records = names.map((name) => recordOf(name, "v1.0.0"));

const open = (log: ChecksumLog, stateDir: string) =>
  openChecksumDatabase({ http: log.http, bases: [log.base], key: log.key, stateDir });

describe("the checksum database", () => {
  it("proves a record wherever it stands in the tree", async () => {
    await using place = await openPlace();
    for (const size of [1, 2, 3, 255, 256, 257, 511, 513, 700]) {
      const log = openChecksumLog(records.slice(0, size));
      const database = await open(log, join(place.dir, String(size)));
      for (const index of new Set([0, size >> 1, size - 1])) {
        const { h1 } = await database.lookup(`example.test/m${index}`, "v1.0.0");
        expect(records[index]).toContain(h1);
      }
    }
  });

  it("refuses a record that was changed, and a proven one that is about another module", async () => {
    await using place = await openPlace();
    const log = openChecksumLog(records);
    const database = await open(log, place.dir);
    const path = "lookup/example.test/m5@v1.0.0";
    log.lies.set(path, (honest) => Buffer.from(honest.toString().replace(/h1:./, "h1:A")));
    await expect(database.lookup("example.test/m5", "v1.0.0")).rejects.toMatchObject({
      kind: "alarm",
      code: "LOG_RECORD_UNPROVEN",
    });
    log.lies.set(path, (honest) => Buffer.from(honest.toString().replace(/^5\n.*\n.*\n/, `6\n${records[6]}`)));
    await expect(database.lookup("example.test/m5", "v1.0.0")).rejects.toMatchObject({
      kind: "alarm",
      code: "LOG_RECORD_UNPROVEN",
      message: expect.stringContaining("something else"),
    });
  });

  it("refuses a tile in which one bit is another", async () => {
    await using place = await openPlace();
    const log = openChecksumLog(records);
    for (const path of ["tile/8/0/000", "tile/8/0/001", "tile/8/0/002.p/188", "tile/8/1/000.p/2"]) {
      log.lies.set(path, (honest) => {
        const bytes = Buffer.from(honest);
        bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
        return bytes;
      });
    }
    const database = await open(log, place.dir);
    await expect(database.lookup("example.test/m5", "v1.0.0")).rejects.toMatchObject({ kind: "alarm" });
  });

  it("refuses a tree head that the key did not sign", async () => {
    await using place = await openPlace();
    const log = openChecksumLog(records);
    const other = openChecksumLog(records);
    await expect(open({ ...log, key: other.key }, place.dir)).rejects.toMatchObject({
      kind: "alarm",
      code: "NOTE_UNSIGNED",
    });
    expect(await readdir(place.dir)).toEqual(["store"]);
  });

  it("remembers the tree head, follows its growth, and raises the alarm when it shrinks", async () => {
    await using place = await openPlace();
    const log = openChecksumLog(records);
    log.shownSize = 300;
    await open(log, place.dir);
    for (const size of [301, 512, 700]) {
      log.shownSize = size;
      expect((await open(log, place.dir)).treeHead().treeSize).toBe(size);
    }
    const state = await readFile(join(place.dir, "log.example.test.json"), "utf8");
    log.shownSize = 699;
    await expect(open(log, place.dir)).rejects.toMatchObject({ kind: "alarm", code: "LOG_SHRANK" });
    expect(await readFile(join(place.dir, "log.example.test.json"), "utf8")).toBe(state);
  });

  it("raises the alarm when history was written anew, at the same size or larger", async () => {
    for (const size of [300, 400, 700]) {
      await using place = await openPlace();
      const log = openChecksumLog(records.slice(0, 300));
      await open(log, place.dir);
      log.records.splice(0, 300, ...records.slice(0, size));
      log.records[7] = recordOf("example.test/m7", "v1.0.0", "another");
      await expect(open(log, place.dir)).rejects.toMatchObject({ kind: "alarm", code: "LOG_FORKED" });
    }
  });

  it("does not forget silently: a remembered head that cannot be read is an alarm", async () => {
    await using place = await openPlace();
    const log = openChecksumLog(records);
    await open(log, place.dir);
    await writeFile(join(place.dir, "log.example.test.json"), "{");
    await expect(open(log, place.dir)).rejects.toMatchObject({ kind: "alarm", code: "LOG_STATE_DAMAGED" });
  });

  it("says which record it lacks", async () => {
    await using place = await openPlace();
    const database = await open(openChecksumLog(records), place.dir);
    await expect(database.lookup("example.test/none", "v1.0.0")).rejects.toMatchObject({
      kind: "world",
      code: "LOG_RECORD_ABSENT",
    });
  });

  it("is the real one: proves a module of a real lock, and Go's own toolchain", async (context) => {
    const proxies = await testProxies();
    if (proxies.length === 0) context.skip("no module proxy is known: set GOPROXY");
    await using place = await openPlace();
    const database = await openChecksumDatabase({
      http: createHttp(),
      bases: [...proxies.map((proxy) => `${proxy}/sumdb/sum.golang.org`), "https://sum.golang.org"],
      stateDir: place.dir,
    });
    const lock = await readLock("node_exporter", "1.12.1");
    const module = lock.modules.find(
      ({ path, zip }) => path === "github.com/alecthomas/kingpin/v2" && zip !== undefined,
    );
    const [toolchain] = lock.go.toolchains;
    if (module?.zip === undefined || toolchain === undefined) throw new Error("the lock changed");
    expect((await database.lookup(module.path, module.version)).h1).toBe(module.zip.h1);
    expect((await database.lookup("golang.org/toolchain", toolchain.version)).h1).toBe(toolchain.h1);
  });
});

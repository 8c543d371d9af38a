import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { datedTexts, findDates, spellingsOf } from "../../../builder/explain/dates.ts";
import { openPlace } from "../../support/place.ts";

const startMs = Date.parse("2026-01-02T23:59:30Z");
const spellings = spellingsOf([{ startMs, endMs: startMs + 60_000 }]);

async function found(text: string | Buffer, excused: readonly string[] = []): Promise<readonly string[]> {
  await using place = await openPlace();
  const path = join(place.dir, "artifact");
  await writeFile(path, text);
  return (await findDates(path, "artifact", spellings, excused)).map((finding) => finding.text);
}

describe("the days of a run in an artifact", () => {
  it.each([
    "built 2026-01-02",
    "20260102",
    "2026/01/02 23:59",
    "02.01.2026",
    "01/02/2026",
    "2 Jan 2026",
    "January 2, 2026",
    "Fri Jan  2 23:59:31 UTC 2026",
    "Fri Jan 02 23:59:31 2026",
    String(startMs / 1000 + 17),
    "2026-01-03T00:00:01Z",
    "Friday, 02-Jan-26",
    "02 Jan 26 23:59 UTC",
    "2. 1. 2026",
  ])("are found as %j", async (text) => {
    expect((await found(`before\0${text}\0after`)).length).toBeGreaterThan(0);
  });

  it("are not seen in other days, nor in Go's own layouts", async () => {
    expect(await found("2026-01-04 2025-01-02 Mon Jan 02 15:04:05 -0700 2006 Jan _2 15:04:05")).toEqual([]);
  });

  it("are also those of places where it is another day", async () => {
    const noon = Date.parse("2026-06-15T02:53:00Z");
    const days = spellingsOf([{ startMs: noon, endMs: noon + 1000 }]).map(({ text }) => text);
    expect(days).toEqual(expect.arrayContaining(["2026-06-14", "2026-06-15"]));
    expect(days).not.toContain("2026-06-16");
  });

  it("are seconds of the run only, to the second", async () => {
    const first = startMs / 1000;
    expect(await found(`a${first}b`)).toEqual([String(first)]);
    expect(await found(`a${first + 60}123456789b`)).toEqual([String(first + 60)]);
    expect(await found(`${first - 1} ${first + 61} ${String(first).slice(0, 9)}x`)).toEqual([]);
  });

  it("are found in a run of hours, and not outside of it", async () => {
    await using place = await openPlace();
    const path = join(place.dir, "artifact");
    const last = startMs / 1000 + 7200;
    await writeFile(path, `${last + 1} ${last - 1000}`);
    const long = spellingsOf([{ startMs, endMs: last * 1000 }]);
    expect((await findDates(path, "artifact", long, [])).map(({ text }) => text)).toEqual([String(last - 1000)]);
  });

  it("are excused where they are a part of a text of the lock, and only there", async () => {
    const stated = String(startMs / 1000 + 5);
    expect(await found(`${stated} 2026-01-02`, [stated, "v2026-01-02.1"])).toEqual([]);
    expect(await found(`${stated} ${startMs / 1000 + 6}`, [stated])).toEqual([String(startMs / 1000 + 6)]);
  });

  it("are found across the borders of what is read at once", async () => {
    for (const cut of [1, 5, 9]) {
      expect(await found(Buffer.concat([Buffer.alloc((1 << 20) - cut), Buffer.from("2026-01-02")]))).toEqual([
        "2026-01-02",
      ]);
    }
  });

  it("are no leak where the lock itself names them", () => {
    const texts = datedTexts({
      version: "1.0.0",
      source: { kind: "path", path: "." },
      sourceDateEpoch: startMs / 1000,
      modules: [
        { path: "a", version: "v0.0.0-20260102030405-abcdefabcdef", goMod: { sha256: "", sizeBytes: 0, h1: "" } },
        { path: "b", version: "v1.2.3", goMod: { sha256: "", sizeBytes: 0, h1: "" } },
      ],
    } as unknown as Parameters<typeof datedTexts>[0]);
    expect(texts).toContain("v0.0.0-20260102030405-abcdefabcdef");
    expect(texts).toContain("2026-01-02");
    expect(texts).not.toContain("v1.2.3");
  });
});

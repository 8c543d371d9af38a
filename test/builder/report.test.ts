import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256Of } from "../../builder/digest.ts";
import { judgeRunFolders } from "../../builder/judge.ts";
import { contradictionOf } from "../../builder/report-consistency.ts";
import { makeReport, reportSchema, type Report } from "../../builder/report.ts";
import { renderReportHtml } from "../../builder/report-html.ts";
import { openBrowser } from "../support/browser.ts";
import { openToolchain } from "../support/toolchain.ts";
import { openTwinBench, type TwinBench } from "../support/twin.ts";

const evil = `<img src=x onerror="document.title='owned'"><script>document.title="owned"</script>`;
let bench: TwinBench;
let reports: Readonly<Record<"match" | "mismatch", Report>>;

async function reportOf(what: string): Promise<Report> {
  const built = await bench.build({ before: ["leak", "leak.go", what] });
  const judged = await judgeRunFolders(join(built.dir, "a"), join(built.dir, "b"));
  return makeReport({
    name: "program",
    version: "1.0.0",
    lockSha256: sha256Of("a lock of a test"),
    tool: { version: "0.0.0" },
    createdAt: "2026-01-31T12:00:00Z",
    targets: [{ platform: judged.a.platform, ...judged }],
  });
}

beforeAll(async () => {
  bench = await openTwinBench(await openToolchain(), ["leak"]);
  reports = { match: await reportOf("nothing"), mismatch: await reportOf("hostname") };
});
afterAll(async () => bench?.[Symbol.asyncDispose]());

describe("report.json", () => {
  it("reads back as what was written", () => {
    for (const report of Object.values(reports))
      expect(reportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  it("holds what a stranger needs: lock, both plans, values as seen, tools, kernel, times, memory", () => {
    const [target] = reports.match.targets;
    expect(target?.runs.a.plan).toMatchObject({ side: "a", steps: expect.any(Array) });
    expect(target?.runs.b.tools["unshare"]).toContain("util-linux");
    expect(target?.runs.b.host.kernel).not.toBe("");
    expect(target?.runs.b.steps.every(({ peakRssBytes, cpuMs }) => peakRssBytes > 0 && cpuMs > 0)).toBe(true);
    const hostname = target?.dimensions.find(({ id }) => id === "hostname");
    expect(hostname).toMatchObject({
      varied: true,
      a: target?.runs.a.observed.hostname,
      b: target?.runs.b.observed.hostname,
    });
    expect(target?.dimensions.filter(({ varied }) => !varied).every(({ reason }) => (reason ?? "") !== "")).toBe(true);
  });
});

describe("a report that was changed after it was written", () => {
  it("agrees with itself as it was written", () => {
    for (const report of Object.values(reports)) expect(contradictionOf(report)).toBeUndefined();
  });

  type Target = Report["targets"][number];
  const changed = (report: Report, change: (target: Target) => Partial<Target>): Report => ({
    ...report,
    targets: report.targets.map((target) => ({ ...target, ...change(target) })),
  });
  it.each<[string, () => Report, RegExp]>([
    ["a better verdict", () => ({ ...reports.mismatch, verdict: "match" }), /not that of its targets/],
    [
      "a mismatch called match",
      () => changed({ ...reports.mismatch, verdict: "match" }, () => ({ verdict: "match" })),
      /no artifact/,
    ],
    [
      "a mismatch called match, with A's artifact",
      () =>
        changed({ ...reports.mismatch, verdict: "match" }, ({ runs }) => ({
          verdict: "match",
          artifacts: runs.a.artifacts,
        })),
      /tells of differences/,
    ],
    [
      "one run twice",
      () => changed(reports.match, ({ runs }) => ({ runs: { a: runs.a, b: runs.a } })),
      /the same run or side/,
    ],
    [
      "a warm cache",
      () =>
        changed(reports.match, ({ runs }) => ({
          runs: { ...runs, b: { ...runs.b, packages: { total: 9, compiled: 0 } } },
        })),
      /compiled 0 of 9/,
    ],
    [
      "a dimension more",
      () =>
        changed(reports.match, ({ dimensions }) => ({
          dimensions: dimensions.map((one) => ({ ...one, varied: true })),
        })),
      /not what the runs' probes saw/,
    ],
    [
      "a mismatch called match, with A's artifact and no difference",
      () =>
        changed({ ...reports.mismatch, verdict: "match" }, ({ runs }) => ({
          verdict: "match",
          artifacts: runs.a.artifacts,
          differences: undefined,
          explanation: undefined,
        })),
      /run b made other artifacts/,
    ],
    [
      "a side that failed",
      () => changed(reports.match, ({ runs }) => ({ runs: { ...runs, b: { ...runs.b, outcome: "failed" as const } } })),
      /says in one place what another denies/,
    ],
    [
      "the plan of A for both",
      () => changed(reports.match, ({ runs }) => ({ runs: { ...runs, b: { ...runs.b, plan: runs.a.plan } } })),
      /says in one place what another denies/,
    ],
    [
      "a check that passed without what it expected",
      () =>
        changed(reports.match, () => ({
          check: { ran: true as const, passed: true, expected: "1.0.0", printed: "Segmentation fault" },
        })),
      /its check passed without/,
    ],
    [
      "a published file that is another",
      () =>
        changed(reports.match, ({ artifacts }) => ({
          against: {
            equal: true,
            artifact: artifacts[0]?.name ?? "",
            published: "0".repeat(64),
            built: artifacts[0]?.sha256,
          },
        })),
      /published file is not so/,
    ],
    ["a working tree that is none any more", () => ({ ...reports.match, local: false }), /working tree/],
  ])("contradicts itself with %s", (_what, report, why) => {
    expect(contradictionOf(report())).toMatch(why);
  });
});

describe("report.html in a real browser", () => {
  for (const [verdict, width] of [
    ["match", 1280],
    ["match", 390],
    ["mismatch", 1280],
    ["mismatch", 390],
  ] as const) {
    it(`shows a ${verdict} at ${width} pixels: verdict first, nothing cut off, nothing loaded, nothing run`, async (context) => {
      await using browser = await openBrowserOrSkip(context.skip);
      const report = structuredClone(reports[verdict]);
      const [target] = report.targets;
      if (target === undefined) throw new Error("no target");
      target.runs.a.tools = { ...target.runs.a.tools, [evil]: evil };
      target.dimensions = target.dimensions.map((dimension) =>
        dimension.id === "locale" ? { ...dimension, a: evil, about: evil } : dimension,
      );
      for (const difference of target.differences ?? [])
        if (difference.kind === "bytes") difference.excerpt = { a: evil, b: evil };
      if (target.explanation !== undefined) target.explanation.text += evil;
      const path = join(bench.dir, `${verdict}-${width}.html`);
      await writeFile(path, renderReportHtml({ ...report, name: `program ${evil}` }));
      const page = await browser.newPage({ viewport: { width, height: 900 } });
      const requests: string[] = [];
      page.on("request", (request) => requests.push(request.url()));
      await page.goto(pathToFileURL(path).href);
      expect(await page.title()).not.toBe("owned");
      expect(requests).toEqual([pathToFileURL(path).href]);
      expect(await page.locator("h1").first().textContent()).toBe(verdict);
      expect(
        await page
          .locator("h1")
          .first()
          .evaluate((element) => element.getBoundingClientRect().top),
      ).toBeLessThan(200);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      expect(await page.locator("img, script, iframe").count()).toBe(0);
      expect(await page.locator("body").textContent()).toContain("hostname");
      if (verdict === "mismatch")
        expect(await page.locator("svg[aria-label='where the bytes differ']").count()).toBe(1);
      const shots = process.env["TWINSEAL_TEST_SCREENSHOTS"];
      if (shots !== undefined) {
        await mkdir(shots, { recursive: true });
        await page.screenshot({ path: join(shots, `${verdict}-${width}.png`), fullPage: true });
      }
    });
  }
});

async function openBrowserOrSkip(skip: (why: string) => never) {
  const browser = await openBrowser();
  return typeof browser === "string" ? skip(browser) : browser;
}

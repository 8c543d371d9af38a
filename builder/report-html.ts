import { relationOf } from "./against.ts";
import { checksPassed } from "./check-artifact.ts";
import { countVaried, type Dimension, type Report, type ReportTarget, type Verdict } from "./report.ts";
import { reportStyle } from "./report-style.ts";

/** `report.html`: one file without scripts or anything from elsewhere, over the same data as report.json. */
export function renderReportHtml(report: Report): string {
  const title = `${report.name} ${report.version}: ${words[report.verdict].title}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${reportStyle}</style>
</head>
<body>
<main>
${header(report)}
${report.targets.map(targetSection).join("\n")}
${footer(report)}
</main>
</body>
</html>
`;
}

const words: Readonly<Record<Verdict, { mark: string; title: string; text: string }>> = {
  match: { mark: "\u2713", title: "match", text: "Both builds gave the same bytes." },
  mismatch: {
    mark: "\u2717",
    title: "mismatch",
    text: "The two builds gave different bytes. Nothing of this can be signed.",
  },
  suspect: {
    mark: "!",
    title: "suspect",
    text: "The bytes agree, but they hold the day of the build, which both runs shared.",
  },
  "check-failed": {
    mark: "\u2717",
    title: "check failed",
    text: "Both builds gave the same bytes, but the program does not do what the recipe's check expects.",
  },
  "build-failed": { mark: "\u2717", title: "build failed", text: "The source does not build." },
};

function header(report: Report): string {
  const { mark, title, text } = words[report.verdict];
  return `<header class="verdict ${report.verdict}">
<p class="mark" aria-hidden="true">${mark}</p>
<div><p class="what">${escape(report.name)} ${escape(report.version)}</p>
<h1>${escape(title)}</h1>
<p>${escape(text)}${report.local ? " Built from a working tree: it can never be sealed." : ""}</p></div>
</header>`;
}

function targetSection(target: ReportTarget): string {
  const { varied, all } = countVaried(target);
  return `<section>
<h2>${escape(target.platform)} <span class="badge ${target.verdict}">${escape(words[target.verdict].title)}</span></h2>
${target.artifacts.map(({ name, sha256, sizeBytes }) => `<dl class="artifact"><dt>artifact</dt><dd>${escape(name)}</dd><dt>sha256</dt><dd><code>${escape(sha256)}</code></dd><dt>size</dt><dd>${bytes(sizeBytes)}</dd></dl>`).join("\n")}
${failure(target)}${explanation(target)}${against(target)}${check(target)}${links(target)}
${(target.differences ?? []).map(difference).join("\n")}
${(target.findings ?? []).map(({ artifact, offset, text }) => `<p class="note">${escape(artifact)} holds <code>${escape(text)}</code> at byte ${offset}.</p>`).join("\n")}
<h3>${varied} of ${all} dimensions varied</h3>
<table class="dimensions"><thead><tr><th>dimension</th><th>A saw</th><th>B saw</th></tr></thead><tbody>
${target.dimensions.map(dimensionRow).join("\n")}
</tbody></table>
${details(target)}
</section>`;
}

function dimensionRow({ id, about, a, b, varied, reason }: Dimension): string {
  const state = varied ? "varied" : "same";
  const why = reason === undefined ? "" : `<small class="reason">${escape(reason)}</small>`;
  return `<tr class="${state}"><th scope="row" title="${escape(about)}"><span class="dot" aria-label="${varied ? "varied" : "not varied"}"></span>${escape(id)}${why}</th><td data-side="A"><code>${escape(a ?? "\u2013")}</code></td><td data-side="B"><code>${escape(b ?? "\u2013")}</code></td></tr>`;
}

function failure({ failure: found }: ReportTarget): string {
  if (found === undefined) return "";
  return `<div class="note bad"><p>${escape(found.message)}</p><pre>${escape(found.excerpt.join("\n"))}</pre></div>`;
}

function explanation({ explanation: found }: ReportTarget): string {
  if (found === undefined) return "";
  return `<div class="note"><p><strong>${found.cause === undefined ? "Cause unknown" : `Cause: ${escape(found.cause)}`}</strong> ${escape(found.text)}</p><p>${escape(found.hint)}</p></div>`;
}

function against({ against: found }: ReportTarget): string {
  if (found === undefined) return "";
  const relation = relationOf(found);
  return `<div class="note ${found.equal ? "good" : "bad"}"><p><strong>${relation.charAt(0).toUpperCase()}${relation.slice(1)} the published file</strong></p><dl class="artifact"><dt>published</dt><dd><code>${escape(found.published ?? "nothing of that name")}</code></dd><dt>built</dt><dd><code>${escape(found.built ?? "nothing that both builds agree on")}</code></dd></dl></div>`;
}

function check({ check: found }: ReportTarget): string {
  if (found === undefined) return "";
  if (!found.ran) return `<p class="note">Check not run: ${escape(found.reason)}.</p>`;
  return `<p class="note ${checksPassed({ check: found }) ? "good" : "bad"}">Started in a sandbox of its own, it ${found.passed ? "prints" : "does not print"} <code>${escape(found.expected)}</code>.${oldest(found)}</p>`;
}

function oldest({ oldest: found }: Extract<NonNullable<ReportTarget["check"]>, { ran: true }>): string {
  if (found === undefined) return "";
  if (!found.ran) return ` It was not tried on the oldest processor that it is for: ${escape(found.reason)}.`;
  return ` On the oldest processor that it is for (${escape(found.processor)}, emulated) it ${found.passed ? "does too" : `does not: <code>${escape(found.printed)}</code>`}.`;
}

function links({ links: found }: ReportTarget): string {
  if (found === undefined) return "";
  const what =
    found.needed.length === 0
      ? "It is static."
      : `It needs ${found.needed.map((one) => `<code>${escape(one)}</code>`).join(", ")}${found.glibc === undefined ? "" : ` and glibc ${escape(found.glibc)} or newer`}.`;
  const faults = found.faults.map((fault) => `<br>But ${escape(fault)}.`).join("");
  return `<p class="note ${found.faults.length === 0 ? "good" : "bad"}">${what}${faults}</p>`;
}

type ReportDifference = NonNullable<ReportTarget["differences"]>[number];

function difference(found: ReportDifference): string {
  if (found.kind !== "bytes")
    return `<p class="note bad">${escape(found.name)}: ${escape(found.kind.replaceAll("-", " "))}</p>`;
  const where = `${found.differingBytes} bytes differ in ${found.rangeCount} ${found.rangeCount === 1 ? "place" : "places"}, first at ${found.firstOffset}${found.section === undefined ? "" : ` in ${found.section}`}${found.symbol === undefined ? "" : ` (${found.symbol})`}`;
  return `<h3>Where ${escape(found.name)} differs</h3>
<p>${escape(where)}</p>
${byteMap(found)}
<table class="excerpt"><tbody><tr><th>A</th><td><code>${escape(found.excerpt.a)}</code></td></tr><tr><th>B</th><td><code>${escape(found.excerpt.b)}</code></td></tr></tbody></table>`;
}

const WIDTH = 1000;

/** The file as a strip: its sections below, above how many bytes differ in each part. */
function byteMap(found: Extract<ReportDifference, { kind: "bytes" }>): string {
  const total = Math.max(found.sizeBytes.a, found.sizeBytes.b, 1);
  const x = (offset: number) => ((offset / total) * WIDTH).toFixed(2);
  const width = (size: number, min: number) => Math.max((size / total) * WIDTH, min).toFixed(2);
  const sections = found.sections.map(
    ({ name, offset, sizeBytes, differingBytes }, index) =>
      `<rect class="${differingBytes > 0 ? "hit" : `s${index % 2}`}" x="${x(offset)}" y="44" width="${width(sizeBytes, 0.5)}" height="20"><title>${escape(name)}: ${differingBytes} of ${sizeBytes} bytes differ</title></rect>`,
  );
  const partBytes = total / found.density.length;
  const marks = found.density.flatMap((count, part) => {
    if (count === 0) return [];
    // The fewest are still seen; a full bar means that every byte of the part differs.
    const height = Math.max(6, Math.min(1, count / partBytes) * 36);
    const [from, to] = [Math.floor(part * partBytes), Math.floor((part + 1) * partBytes)];
    return `<rect class="mark" x="${x(from)}" y="${(40 - height).toFixed(1)}" width="${width(partBytes, 2)}" height="${height.toFixed(1)}"><title>bytes ${from} to ${to}: ${count} differ</title></rect>`;
  });
  const hit = found.sections
    .filter(({ differingBytes }) => differingBytes > 0)
    .map(({ name, differingBytes }) => `${name} ${differingBytes}`);
  return `<svg class="map" viewBox="0 0 ${WIDTH} 68" preserveAspectRatio="none" role="img" aria-label="where the bytes differ"><rect class="file" x="0" y="4" width="${WIDTH}" height="36"/>${marks.join("")}${sections.join("")}</svg>
<p class="legend"><span>byte 0</span><span>${escape(hit.join(", "))}</span><span>${bytes(total)}</span></p>`;
}

function details(target: ReportTarget): string {
  const { a, b } = target.runs;
  const rows: readonly (readonly [string, string, string])[] = [
    ["driver", a.driver, b.driver],
    ["started", a.startedAt, b.startedAt],
    ["took", seconds(a.durationMs), seconds(b.durationMs)],
    [
      "packages compiled",
      `${a.packages.compiled} of ${a.packages.total}`,
      `${b.packages.compiled} of ${b.packages.total}`,
    ],
    ["processor time", processorTime(a), processorTime(b)],
    ["largest process", peak(a), peak(b)],
    ["kernel", a.host.kernel, b.host.kernel],
    ["sha256", a.artifacts.map(({ sha256 }) => sha256).join(" "), b.artifacts.map(({ sha256 }) => sha256).join(" ")],
  ];
  return `<details><summary>Runs and plans</summary>
<table class="runs"><thead><tr><th></th><th>A</th><th>B</th></tr></thead><tbody>
${rows.map(([name, left, right]) => `<tr><th scope="row">${name}</th><td>${escape(left)}</td><td>${escape(right)}</td></tr>`).join("\n")}
</tbody></table>
<pre>${escape(JSON.stringify(a.plan, null, 2))}</pre>
<pre>${escape(JSON.stringify(b.plan, null, 2))}</pre>
</details>`;
}

function processorTime(run: ReportTarget["runs"]["a"]): string {
  return seconds(run.steps.reduce((sum, { cpuMs }) => sum + cpuMs, 0));
}

function peak(run: ReportTarget["runs"]["a"]): string {
  return bytes(Math.max(0, ...run.steps.map(({ peakRssBytes }) => peakRssBytes)));
}

function footer(report: Report): string {
  return `<footer><p>Two equal builds on one machine show that the build is deterministic; they do not show that the machine is honest.</p>
<p>lock <code>${escape(report.lock.sha256)}</code> \u00b7 twinseal ${escape(report.tool.version)} \u00b7 ${escape(report.createdAt)}</p></footer>`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function bytes(count: number): string {
  return count < 1e6 ? `${count} bytes` : `${(count / 1e6).toFixed(1)} MB`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => entities[character] ?? "")
    .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "\u00b7");
}

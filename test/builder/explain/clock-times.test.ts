import { expect, test } from "vitest";
import { heldClockTime } from "../../../builder/explain/clock-times.ts";

const spans = {
  a: { time: "2026-11-25T13:45:02.500Z", durationMs: 20_000 },
  b: { time: "2027-12-31T10:43:25.500Z", durationMs: 20_000 },
};

test.each([
  ["the hour of each side's clock", "at 13:45:13.", "at 10:43:33.", { id: "time", a: "13:45:13", b: "10:43:33" }],
  ["in other zones", "19:15:13", "16:43:26", { id: "time", a: "19:15:13", b: "16:43:26" }],
  ["the second in which it began", "13:45:02", "10:43:25", { id: "time", a: "13:45:02", b: "10:43:25" }],
  ["no time of A's run", "13:45:40", "10:43:33", undefined],
  ["the same in both", "13:45:13", "13:45:13", undefined],
  ["no time at all", "a", "b", undefined],
])("two excerpts with %s", (_what, a, b, expected) => {
  expect(heldClockTime({ a, b }, spans)).toEqual(expected);
});

test("nothing is said of runs that took long, or whose clock nobody saw", () => {
  const excerpts = { a: "13:45:13", b: "10:43:33" };
  expect(heldClockTime(excerpts, { ...spans, a: { ...spans.a, durationMs: 600_000 } })).toBeUndefined();
  expect(heldClockTime(excerpts, { ...spans, b: { ...spans.b, time: undefined } })).toBeUndefined();
});

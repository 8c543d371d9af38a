import { accessSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

const places = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
];

/** A real browser of this machine; a string says why there is none. */
export async function openBrowser(): Promise<(Browser & AsyncDisposable) | string> {
  const path = places.find((place) => {
    try {
      accessSync(place);
      return true;
    } catch {
      return false;
    }
  });
  if (path === undefined) return `no browser at ${places.join(", ")}`;
  const browser = await chromium.launch({ executablePath: path, args: ["--no-sandbox"] });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}

// Opens a page of the console in Chromium, and asserts what must hold in every test of the console.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { MODULES, CHROMIUM, URL: APPLICATION } = process.env;
const require = createRequire(MODULES);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** The application's own address. */
export const url = APPLICATION;

/**
 * Runs `scenario` with a browser of its own, whose profile is gone afterwards.
 *
 * The scenario fails as well if a page throws, loads anything from elsewhere, or does what its policy forbids.
 * @param {function({open: Function}): Promise} scenario
 */
export async function withBrowser(scenario) {
  const profile = mkdtempSync(join(tmpdir(), "console-"));
  const faults = [];
  const options = { executablePath: CHROMIUM, args: ARGUMENTS, locale: "en-GB", timeout: 120_000 };
  const contexts = [];
  /** Opens a view in a new profile, or in a new tab of `context`. */
  async function open(view, settings = {}, context = null) {
    if (context === null) {
      context = await chromium.launchPersistentContext(join(profile, String(contexts.length)), { ...options, ...settings });
      contexts.push(context);
    }
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on("pageerror", (error) => faults.push(`threw ${error.stack}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(`${APPLICATION}/`)) faults.push(`asked for ${request.url().slice(0, 80)}`);
    });
    await page.exposeFunction("reportViolation", (what) => faults.push(`violated the policy: ${what}`));
    await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) =>
      window.reportViolation(`${event.effectiveDirective} ${event.blockedURI}`)));
    await page.goto(`${APPLICATION}/console/${view}`);
    return page;
  }
  try {
    await scenario({ open });
    assert.deepEqual(faults, []);
  } finally {
    for (const context of contexts) await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** Sends a request to the API, as another client would. */
export async function api(method, path, { json, token, ...headers } = {}) {
  const response = await fetch(APPLICATION + path, {
    method,
    headers: { ...(json && { "content-type": "application/json" }), ...(token && { authorization: `Bearer ${token}` }), ...headers },
    body: json && JSON.stringify(json),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

/** Creates a user behind the console's back. */
export async function create(record, token) {
  const { status, body } = await api("POST", "/user", { json: record, token });
  assert.equal(status, 201, JSON.stringify(body));
}

/** The record of a user as it is stored. */
export async function stored(username) {
  const { status, body } = await api("GET", `/user/${username}`);
  return status === 200 ? body : null;
}

/** Asserts that axe-core finds nothing in the page as it is, by the rules of WCAG 2.2 AA and its own best practice. */
export async function assertAccessible(page, what) {
  // Playwright's evaluation is not bound by the page's policy.
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run({
      resultTypes: ["violations"],
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
  });
  assert.deepEqual(violations, [], what);
}

/** Asserts that the page is no wider than the window, so that nobody scrolls in two directions. */
export async function assertFits(page, what) {
  const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(width <= room, `${what} is ${width} px wide in a window of ${room} px`);
}

/** What a person finds on the page, by what a screen reader would call it. */
export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const field = (page, name) => page.getByRole("textbox", { name });
export const heading = (page, name) => page.getByRole("heading", { name, exact: true });

/** Waits until a text is on the page. */
export const shows = (page, text) => page.getByText(text).first().waitFor();

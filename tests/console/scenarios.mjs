// What people do with the console, each thing as a scenario. `node scenarios.mjs <scenario>` runs one; main.rs says which
// there are, and starts an application for each.

import assert from "node:assert/strict";

import { api, assertAccessible, assertFits, button, create, field, heading, shows, stored, url, withBrowser } from "./browser.mjs";

const jane = { username: "jane", email: "jane@example.com", points: 101 };

const points = (page) => field(page, "Points");

async function hasBalance(page, value) {
  await page.locator(".figures .large", { hasText: new RegExp(`^${value}$`) }).waitFor();
  assert.equal((await stored("jane")).points, value);
}

const scenarios = {
  async look_up({ open }) {
    await create({ ...jane, address: { city: "Ulm" } });
    await api("PUT", "/user/promote/jane");
    await api("POST", "/user/points/jane", { json: { points: -30, reason: "order 7" } });
    const page = await open("");
    const search = page.getByRole("searchbox");
    await search.fill("JANE");
    await search.press("Enter");
    await heading(page, "jane").waitFor();
    await hasBalance(page, 71);
    assert.equal(await page.title(), "jane · Users");
    const text = await page.getByRole("article").innerText();
    for (const part of ["Gold", "jane@example.com", "Earned in all\n101", "Redeemed 30 points", "order 7", "Created with 101 points", "Ulm"]) {
      assert.ok(text.includes(part), `${part} is missing:\n${text}`);
    }
    assert.match(await page.getByRole("img", { name: /^Balance from 101 .* to 71 now; the highest was 101/ }).getAttribute("aria-label"), /./);
    await search.fill("nobody");
    await button(page, "Find").click();
    await shows(page, "There is no user called nobody.");
    await page.getByRole("link", { name: "Create nobody" }).click();
    assert.equal(await field(page, "Username").inputValue(), "nobody");
    await search.fill("jane@example.com");
    await search.press("Enter");
    await page.getByRole("rowheader", { name: "jane" }).waitFor();
    await page.goBack();
    await heading(page, "New user").waitFor();
  },

  async award_once({ open }) {
    await create({ username: "jane" });
    const page = await open("#/users/jane");
    await points(page).fill("30");
    await field(page, "Reason").fill("order 7");
    await button(page, "Award").dblclick();
    await hasBalance(page, 30);
    await shows(page, "Awarded 30 points. The balance is 30.");
    await shows(page, "order 7");
    // The answer is lost after the award was made; the person tries again.
    let losses = 0;
    await page.route("**/user/points/jane", async (route) => {
      await route.fetch();
      losses += 1;
      await route.abort();
    }, { times: 1 });
    await points(page).fill("12");
    await button(page, "Award").click();
    await shows(page, "Trying again is safe");
    await button(page, "Award").click();
    await shows(page, "Awarded 12 points. The balance is 42.");
    assert.equal(losses, 1);
    await hasBalance(page, 42);
    // The same once more is another award.
    await points(page).fill("12");
    await button(page, "Award").click();
    await hasBalance(page, 54);
    await points(page).fill("ten");
    await button(page, "Award").click();
    await shows(page, "Enter a whole number");
    await points(page).fill("0");
    await button(page, "Award").click();
    await page.locator("#" + (await points(page).getAttribute("id")) + "-error:not(:empty)").waitFor();
    assert.equal(await points(page).getAttribute("aria-invalid"), "true");
    await hasBalance(page, 54);
  },

  async redeem({ open }) {
    await create(jane);
    const page = await open("#/users/jane");
    await points(page).fill("30");
    await button(page, "Redeem").click();
    await hasBalance(page, 71);
    await points(page).fill("72");
    await button(page, "Redeem").click();
    await page.getByRole("alert").getByText("Insufficient points").waitFor();
    await hasBalance(page, 71);
  },

  async reverse({ open }) {
    await create(jane);
    await api("POST", "/user/points/jane", { json: { points: 20, reason: "order 7" } });
    const page = await open("#/users/jane");
    await button(page, "Reverse #2: Awarded 20 points").click();
    const dialog = page.getByRole("dialog", { name: "Reverse #2" });
    await dialog.getByText("order 7").waitFor();
    await field(dialog, "Reason").fill("sent back");
    await button(dialog, "Reverse").click();
    await hasBalance(page, 101);
    await shows(page, "reversed by #3");
    await shows(page, "sent back");
    assert.equal(await button(page, "Reverse #2: Awarded 20 points").count(), 0);
    // The points of #4 are spent before somebody wants to take them back.
    await api("POST", "/user/points/jane", { json: { points: 50 } });
    await api("POST", "/user/points/jane", { json: { points: -151 } });
    await page.reload();
    await button(page, "Reverse #4: Awarded 50 points").click();
    await button(page.getByRole("dialog"), "Reverse").click();
    await page.getByRole("dialog").getByText("Insufficient points").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await hasBalance(page, 0);
  },

  async promote({ open }) {
    await create(jane);
    const page = await open("#/users/jane");
    await page.locator(".name").getByText("No tier").waitFor();
    await button(page, "Promote").click();
    await shows(page, "jane is Gold.");
    await page.locator(".name").getByText("Gold", { exact: true }).waitFor();
    assert.equal((await stored("jane")).status, "Gold");
    await shows(page, "Tier set to");
  },

  async edit({ open }) {
    const exact = '{"username":"jane","email":"jane@example.com","id":12345678901234567890,"city":"Ulm","old":true,"nothing":null}';
    const response = await fetch(`${url}/user`, { method: "POST", headers: { "content-type": "application/json" }, body: exact });
    assert.equal(response.status, 201);
    const page = await open("#/users/jane");
    await button(page, "Edit").click();
    const dialog = page.getByRole("dialog", { name: "Edit jane" });
    const members = field(dialog, "Other members");
    assert.match(await members.inputValue(), /"id": 12345678901234567890,/);
    await members.fill((await members.inputValue()).replace("Ulm", "Bonn").replace(/\s*"old": true,/, "").replace("{", '{ "Status": "Gold",'));
    await field(dialog, "Email").fill("no address");
    await button(dialog, "Save").click();
    await dialog.locator("[aria-invalid]").first().waitFor();
    const error = async (input) => dialog.locator(`#${await input.getAttribute("id")}-error`).innerText();
    assert.notEqual(await error(field(dialog, "Email")), "");
    assert.match(await error(members), /\/Status/);
    assert.ok(await field(dialog, "Email").evaluate((input) => input === document.activeElement));
    await members.fill((await members.inputValue()).replace('"Status": "Gold",', ""));
    await field(dialog, "Email").fill("jane@example.org");
    const [request] = await Promise.all([page.waitForRequest("**/user/update/jane"), button(dialog, "Save").click()]);
    assert.equal(request.method(), "PATCH");
    assert.equal(request.headers()["content-type"], "application/merge-patch+json");
    assert.deepEqual(request.postDataJSON(), { email: "jane@example.org", city: "Bonn", old: null });
    await dialog.waitFor({ state: "detached" });
    await shows(page, "jane@example.org");
    await shows(page, "jane was changed.");
    const text = await (await fetch(`${url}/user/jane`)).text();
    assert.equal(text, '{"username":"jane","email":"jane@example.org","id":12345678901234567890,"city":"Bonn","nothing":null}');
  },

  async create({ open }) {
    await create(jane);
    const page = await open("#/new");
    await button(page, "Create user").click();
    await shows(page, "Fill this in.");
    await field(page, "Username").fill("-joan");
    await field(page, "Email").fill("joan");
    await field(page, "Other members").fill('{"city": "Ulm"');
    await button(page, "Create user").click();
    await shows(page, "This is not JSON");
    await field(page, "Other members").fill('{"city": "Ulm"}');
    await button(page, "Create user").click();
    await page.locator("[aria-invalid]").nth(1).waitFor();
    assert.ok(await field(page, "Username").evaluate((input) => input === document.activeElement));
    await field(page, "Username").fill("Jane");
    await field(page, "Email").fill("joan@example.com");
    await button(page, "Create user").click();
    await page.getByRole("alert").getByText("Username taken").waitFor();
    await field(page, "Username").fill("joan");
    await field(page, "Points to begin with").fill("7");
    await button(page, "Create user").dblclick();
    await heading(page, "joan").waitFor();
    await shows(page, "joan was created.");
    assert.deepEqual(await stored("joan"), { username: "joan", email: "joan@example.com", points: 7, city: "Ulm" });
  },

  async erase({ open }) {
    await create(jane);
    const page = await open("#/users/jane");
    await button(page, "Erase").click();
    const dialog = page.getByRole("dialog", { name: "Erase jane?" });
    // Enter alone erases nobody.
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    assert.ok(await stored("jane"));
    await button(page, "Erase").click();
    await button(dialog, "Erase jane").click();
    await shows(page, "jane was erased.");
    await shows(page, "No users yet");
    assert.equal(await stored("jane"), null);
    await page.goto(`${url}/console/#/users/jane`);
    await shows(page, "There is no user called jane.");
  },

  async tokens({ open }) {
    await create(jane, "WRITE");
    const page = await open("#/users/jane");
    const dialog = page.getByRole("dialog", { name: "Access" });
    const token = dialog.getByLabel("Access token");
    await token.fill("wrong");
    await button(dialog, "Use this token").click();
    // It is asked for again, with what the API says about the first.
    await dialog.locator(".warning").getByText(/token/).waitFor();
    await token.fill("READ");
    await token.press("Enter");
    await heading(page, "jane").waitFor();
    await page.locator(".figures .large").waitFor();
    await points(page).fill("5");
    await button(page, "Award").click();
    await page.getByRole("alert").getByText("allows reading, but not writing").waitFor();
    await page.reload();
    await page.locator(".figures .large").waitFor();
    assert.equal(await dialog.count(), 0);
    await button(page, "Change token").click();
    await token.fill("WRITE");
    await button(dialog, "Use this token").click();
    await points(page).fill("5");
    await button(page, "Award").click();
    await shows(page, "Awarded 5 points");
    // Another tab knows nothing of it.
    const other = await open("#/users/jane", {}, page.context());
    await button(other.getByRole("dialog"), "Cancel").click();
    await other.getByRole("alert").getByText("Unauthenticated").waitFor();
    assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, ""]);
  },

  async conflict({ open }) {
    await create(jane);
    const page = await open("#/users/jane");
    await points(page).fill("30");
    await api("POST", "/user/points/jane", { json: { points: -100, reason: "order 7" } });
    await button(page, "Award").click();
    const alert = page.getByRole("alert");
    await alert.getByText("Changed in the meantime").waitFor();
    await alert.getByText("Redeemed 100 points (order 7)").waitFor();
    await hasBalance(page, 1);
    // What was typed is still there.
    assert.equal(await points(page).inputValue(), "30");
    await button(page, "Award").click();
    await hasBalance(page, 31);
    await button(page, "Erase").click();
    await api("PATCH", "/user/update/jane", { json: { city: "Ulm" } });
    await button(page, "Erase jane").click();
    await page.getByRole("dialog").getByText("Changed city").waitFor();
    assert.ok(await stored("jane"));
    await button(page, "Erase jane").click();
    await shows(page, "jane was erased.");
  },

  async keyboard({ open }) {
    await create(jane);
    const page = await open("");
    const focused = (what) => page.waitForFunction((text) => {
      const { activeElement } = document;
      const name = activeElement.getAttribute("aria-label") ?? activeElement.labels?.[0]?.innerText ?? activeElement.innerText;
      return name?.trim().startsWith(text);
    }, what);
    /** Presses Tab until the focus is on `what`. */
    async function tabTo(what) {
      for (let presses = 0; presses < 40; presses += 1) {
        await page.keyboard.press("Tab");
        const name = await page.evaluate(() => {
          const { activeElement } = document;
          return (activeElement.getAttribute("aria-label") ?? activeElement.labels?.[0]?.innerText ?? activeElement.innerText ?? "").trim();
        });
        if (name.startsWith(what)) {
          const outlines = await page.evaluate(() => [null, "::after"].map((part) =>
            getComputedStyle(document.activeElement, part).outlineStyle));
          assert.ok(outlines.includes("solid"), `the focus on ${what} cannot be seen`);
          return;
        }
      }
      assert.fail(`Tab does not reach ${what}`);
    }
    await shows(page, "jane");
    await tabTo("Skip to the content");
    await page.keyboard.press("Enter");
    await tabTo("jane");
    await page.keyboard.press("Enter");
    await focused("jane");
    await page.locator(".figures .large").waitFor();
    await tabTo("Points");
    await page.keyboard.type("9");
    await page.keyboard.press("Enter");
    await hasBalance(page, 110);
    await tabTo("Promote");
    await page.keyboard.press("Space");
    await shows(page, "jane is Gold.");
    await tabTo("Reverse #2");
    await page.keyboard.press("Enter");
    await focused("Reason");
    await page.keyboard.press("Escape");
    await focused("Reverse #2");
    await page.keyboard.press("Enter");
    await page.keyboard.type("a mistake");
    await page.keyboard.press("Enter");
    await hasBalance(page, 101);
    await focused("History");
    await page.goto(`${url}/console/#/users/jane`);
    await page.reload();
    await page.locator(".figures .large").waitFor();
    await tabTo("Erase");
    await page.keyboard.press("Enter");
    await focused("Cancel");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await focused("Users");
    assert.equal(await stored("jane"), null);
  },

  async list({ open }) {
    const tiers = ["Bronze", "Silver", "Gold"];
    for (let index = 0; index < 120; index += 1) {
      await create({ username: `user-${index}`, points: (index % 3) * 60 });
      if (index % 2 === 0) await api("PUT", `/user/promote/user-${index}`);
    }
    const page = await open("");
    const seen = [];
    const names = () => page.locator("tbody th a").allInnerTexts();
    for (;;) {
      await page.locator("tbody tr").first().waitFor();
      const here = await names();
      seen.push(here);
      const next = page.getByRole("link", { name: "Next" });
      if ((await next.count()) === 0) break;
      await next.click();
      await page.waitForFunction((first) => {
        const link = document.querySelector("tbody th a");
        return link !== null && link.innerText !== first;
      }, here[0]);
    }
    assert.equal(seen.length, 3);
    assert.equal(new Set(seen.flat()).size, 120);
    await page.getByRole("link", { name: "Previous" }).click();
    await page.waitForFunction((first) => document.querySelector("tbody th a")?.innerText === first, seen[1][0]);
    for (const [index, tier] of tiers.entries()) {
      await page.getByRole("navigation", { name: "Tier" }).getByRole("link", { name: tier }).click();
      await page.waitForFunction((count) => document.querySelectorAll("tbody tr").length === count, 20);
      for (const name of await names()) assert.equal(Number(name.slice("user-".length)) % 3, index);
      assert.equal(await page.locator("tbody .tier", { hasText: tier }).count(), 20);
    }
  },

  async ten_thousand({ open }) {
    const names = Array.from({ length: 10_000 }, (_, index) => `user-${index}`);
    const left = [...names];
    await Promise.all(Array.from({ length: 32 }, async () => {
      for (let username = left.pop(); username !== undefined; username = left.pop()) await create({ username });
    }));
    const page = await open("#/new");
    let requests = 0;
    page.on("request", (request) => (requests += new URL(request.url()).pathname === "/users" ? 1 : 0));
    await page.getByRole("link", { name: "All users" }).click();
    const seen = new Set();
    let pages = 0;
    let slowest = 0;
    for (let begun = performance.now(); ; begun = performance.now()) {
      await page.locator("tbody tr").first().waitFor();
      const here = await page.locator("tbody th a").allInnerTexts();
      slowest = Math.max(slowest, performance.now() - begun);
      pages += 1;
      for (const name of here) seen.add(name);
      const next = page.getByRole("link", { name: "Next" });
      if ((await next.count()) === 0) break;
      assert.equal(here.length, 50, `page ${pages}`);
      await next.click();
      await page.waitForFunction((first) => ![first, undefined].includes(document.querySelector("tbody th a")?.innerText), here[0]);
    }
    console.log(`${pages} pages with ${requests} requests, the slowest in ${Math.round(slowest)} ms`);
    assert.deepEqual([...seen].sort(), names.sort());
    assert.equal(requests, pages, "a page takes one request");
  },

  async long_history({ open }) {
    await create({ username: "jane" });
    for (let index = 1; index <= 130; index += 1) await api("POST", "/user/points/jane", { json: { points: index } });
    const page = await open("#/users/jane");
    const entries = page.locator(".entries > li");
    await entries.first().waitFor();
    for (let count = 20; count < 131; count += 20) {
      assert.equal(await entries.count(), count);
      await button(page, "Show older").click();
      await entries.nth(count).waitFor();
    }
    assert.equal(await entries.count(), 131);
    assert.equal(await button(page, "Show older").count(), 0);
    await shows(page, "Created");
  },

  async failures({ open }) {
    await create(jane);
    const page = await open("#/new");
    await page.route("**/user/jane", (route) => route.fulfill({ status: 502, body: "<h1>Bad gateway</h1>", contentType: "text/html" }), { times: 1 });
    await page.evaluate(() => (location.hash = "#/users/jane"));
    await page.getByRole("alert").getByText("The server answered with status 502 and did not say why.").waitFor();
    await button(page, "Try again").click();
    await page.locator(".figures .large").waitFor();
    await page.route("**/users?**", (route) => route.abort(), { times: 1 });
    await page.getByRole("link", { name: "All users" }).click();
    await page.getByRole("alert").getByText("No answer").waitFor();
    await button(page, "Try again").click();
    await page.getByRole("rowheader", { name: "jane" }).waitFor();
    // What is in a record is text, whatever it looks like.
    await create({ username: "mallory", email: "mallory@example.com", "<img src=x onerror=alert(1)>": "<script>alert(1)</script>" });
    await page.goto(`${url}/console/#/users/mallory`);
    await shows(page, "<script>alert(1)</script>");
    await page.goto(`${url}/console/#/nowhere`);
    await shows(page, "There is no such view");
  },

  async narrow({ open }) {
    await eachView(open, { viewport: { width: 320, height: 640 } }, assertFits);
  },

  async dark({ open }) {
    const page = await open("");
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    assert.notEqual(await ground(), light);
    await eachView(open, { colorScheme: "dark" }, assertAccessible);
  },

  async accessible({ open }) {
    await eachView(open, {}, assertAccessible);
  },

  async accessible_when_narrow({ open }) {
    await eachView(open, { viewport: { width: 360, height: 740 } }, assertAccessible);
  },

  async reference({ open }) {
    const page = await open("reference");
    await shows(page, "Every refusal and failure");
    await page.getByText("Award, redeem or reverse points").first().click();
    await page.getByText("/user/points/{username}").first().waitFor();
    await page.getByRole("link", { name: "Users", exact: true }).click();
    await heading(page, "Users").waitFor();
  },

  async screenshots({ open }) {
    const { screenshots } = await import("./screenshots.mjs");
    await screenshots(open);
  },
};

/** Shows each view and each state that it can be in, and judges it. */
async function eachView(open, settings, judge) {
  const long = `x${"-long-name".repeat(6)}`;
  await create({ ...jane, address: { city: "Ulm" } });
  await create({ username: long, email: `${long}@${long}.example.com` });
  await api("PUT", "/user/promote/jane");
  await api("POST", "/user/points/jane", { json: { points: -30, reason: "a reason with_a_word_that_is_so_long_that_it_has_to_be_broken_somewhere" } });
  await api("POST", "/user/points/jane", { json: { reverses: 3 } });
  const page = await open("", settings);
  const see = async (view, ready) => {
    await page.goto(`${url}/console/${view}`);
    await page.reload();
    await ready(page);
  };
  const there = (selector) => () => page.locator(selector).first().waitFor();
  const views = {
    "the list": ["", there("tbody tr")],
    "an empty list": ["#/users?status=Silver", there(".state h2")],
    "a failed list": ["#/users?status=Iron", there(".failed")],
    "a user": ["#/users/jane", there(".figures")],
    "a long name": [`#/users/${long}`, there(".figures")],
    "no user": ["#/users/nobody", there(".state h2")],
    "a new user": ["#/new", there("form.card")],
    "a wrong address": ["#/nowhere", there(".state h2")],
    "a refused user": ["#/new", async () => {
      await field(page, "Username").fill("-");
      await field(page, "Email").fill("-");
      await button(page, "Create user").click();
      await there("[aria-invalid]")();
    }],
    "an award": ["#/users/jane", async () => {
      await points(page).fill("1");
      await button(page, "Award").click();
      await there(".toast p")();
    }],
    "a conflict": ["#/users/jane", async () => {
      await there(".figures")();
      await api("POST", "/user/points/jane", { json: { points: 1 } });
      await button(page, "Promote").click();
      await there(".problem li")();
    }],
    "the edit dialog": ["#/users/jane", async () => {
      await button(page, "Edit").click();
      await there("dialog textarea")();
    }],
    "the erase dialog": ["#/users/jane", async () => {
      await button(page, "Erase").click();
      await there("dialog")();
    }],
    "the reverse dialog": ["#/users/jane", async () => {
      await page.getByRole("button", { name: /^Reverse #/ }).first().click();
      await there("dialog")();
    }],
    "the token dialog": ["", async () => {
      await button(page, "Access token").click();
      await there("dialog")();
    }],
    "the reference": ["reference", () => shows(page, "Every refusal and failure")],
    "an operation in the reference": ["reference#?route=post-/user/points/-username-", () =>
      page.getByText("/user/points/{username}").first().waitFor()],
  };
  for (const [what, [view, ready]] of Object.entries(views)) {
    await see(view, ready);
    await judge(page, what);
  }
}

const scenario = scenarios[process.argv[2]];
assert.ok(scenario, `there is no scenario ${process.argv[2]}; there are ${Object.keys(scenarios).join(", ")}`);
await withBrowser(scenario);

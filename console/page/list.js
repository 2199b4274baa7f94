// The list of users: a page at a time, of one tier or of all, or those with one email address.

import { request } from "./api.js";
import { h } from "./dom.js";
import { empty, failed, loading, number, tier, userPath } from "./parts.js";

const PAGE = 50;
/** A filtered page may come short, so more are asked for until there is a screenful, this many times at most. */
const REQUESTS = 20;
const TIERS = ["Bronze", "Silver", "Gold"];

/** From where a page was reached, by its address: the API's cursors lead forward only. */
const previous = new Map();

const address = (query) => `#/users${query.size > 0 ? `?${query}` : ""}`;

/**
 * @param {URLSearchParams} query `status`, `email` and `after`, as the API takes them.
 * @param {AbortSignal} signal Aborted when the view is left.
 * @returns {{title: string, element: HTMLElement}}
 */
export function listView(query, signal) {
  const status = query.get("status");
  const email = query.get("email");
  const content = h("div", { "aria-live": "off" });
  const link = (name, value) =>
    h("a", { href: address(new URLSearchParams(value ? { status: value } : {})), "aria-current": value === status && !email && "true" }, name);
  const element = h("article", {},
    h("header", { class: "heading" },
      h("h1", { tabindex: "-1" }, email ? "Users with this email address" : "Users"),
      h("nav", { class: "filter", "aria-label": "Tier" }, link(h("span", { class: "tier all" }, "All"), null), TIERS.map((name) => link(tier(name), name)))),
    email && h("p", { class: "lead" }, email, " · ", h("a", { href: "#/users" }, "Show all users")),
    content);

  async function load() {
    content.replaceChildren(loading("users"));
    try {
      const { users, next } = await page(query, signal);
      content.replaceChildren(users.length > 0 ? table(users) : nobody(status, email, next), pager(query, users.length, next));
    } catch (problem) {
      if (!signal.aborted) content.replaceChildren(failed(problem, load));
    }
  }
  load();
  return { title: status ? `${status} users` : "Users", element };
}

/** Reads users until there are enough for a page. */
async function page(query, signal) {
  const users = [];
  const search = new URLSearchParams(query);
  for (let requests = 0; requests < REQUESTS; requests += 1) {
    search.set("limit", PAGE - users.length);
    const { body } = await request("GET", `/users?${search}`, { signal });
    users.push(...body.users);
    if (!body.next) return { users };
    search.set("after", new URL(body.next, location.origin).searchParams.get("after"));
    if (users.length >= PAGE) break;
  }
  return { users, next: search.get("after") };
}

function table(users) {
  return h("table", { class: "card users" },
    h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, "User"),
      h("th", { scope: "col" }, "Tier"),
      h("th", { scope: "col", class: "number" }, "Points"))),
    h("tbody", {}, users.map((user) => h("tr", {},
      h("th", { scope: "row" },
        h("a", { href: userPath(user.username) }, user.username),
        typeof user.email === "string" && h("span", { class: "email" }, breakable(user.email))),
      h("td", {}, tier(user.status)),
      h("td", { class: "number" }, number(user.points ?? 0))))));
}

/** An address that is broken at its `@`, if it has to be. */
const breakable = (email) => email.split(/(?=@)/).flatMap((part, index) => (index > 0 ? [h("wbr"), part] : [part]));

function nobody(status, email, next) {
  if (next) return empty("None so far", h("p", {}, `No ${status ?? "such"} user is among those looked at. There are more to look at.`));
  if (email) return empty("Nobody has this email address", h("p", {}, "Addresses are compared exactly, capital letters included."));
  if (status) return empty(`No ${status} users`, h("p", {}, "A tier is given by promotion."));
  return empty("No users yet", h("p", {}, h("a", { class: "button primary", href: "#/new" }, "Create the first")));
}

function pager(query, count, next) {
  const here = address(query);
  const to = (after) => {
    const search = new URLSearchParams(query);
    search.set("after", after);
    return address(search);
  };
  if (next) previous.set(to(next), here);
  const first = new URLSearchParams(query);
  first.delete("after");
  const back = previous.get(here) ?? (query.has("after") ? address(first) : null);
  if (!back && !next) return h("p", { class: "count" }, count > 0 && `${number(count)} ${count === 1 ? "user" : "users"}`);
  return h("nav", { class: "pager", "aria-label": "Pages" },
    back && h("a", { class: "button", href: back, rel: "prev" }, previous.has(here) ? "← Previous" : "← First page"),
    next && h("a", { class: "button", href: to(next), rel: "next" }, "Next →"));
}

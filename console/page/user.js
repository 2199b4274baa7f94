// One user: tier, balance, history, and all actions.

import { Problem, request } from "./api.js";
import { chart } from "./chart.js";
import { editDialog, eraseDialog, reverseDialog } from "./dialogs.js";
import { announce, h } from "./dom.js";
import { Intention, field, integerOf, onSubmit } from "./form.js";
import { describe, historyList } from "./history.js";
import { pretty } from "./json.js";
import { empty, failed, loading, number, points, tier } from "./parts.js";

/** How many entries are read at a time: as many as the API gives, for the chart. */
const LIMIT = 100;

/**
 * @param {string} username
 * @param {AbortSignal} signal Aborted when the view is left.
 * @returns {{title: string, element: HTMLElement}}
 */
export function userView(username, signal) {
  const name = encodeURIComponent(username);
  /** The state on the screen: the record, its entity tag, and its history so far. */
  let shown = null;
  let length = historyList.SCREENFUL;
  const heading = h("h1", { tabindex: "-1" }, username);
  const badge = h("span", {});
  const email = h("p", { class: "lead" });
  const commands = h("div", { class: "buttons", hidden: true },
    h("button", { type: "button", onclick: () => editDialog(shown.record, change) }, "Edit"),
    h("button", { type: "button", class: "danger", onclick: () => eraseDialog(shown.record.username, change) }, "Erase"));
  const balance = h("section", { class: "card", "aria-label": "Balance" });
  const history = h("section", { class: "card", "aria-labelledby": "history" });
  const others = h("section", {});
  const content = h("div", { class: "user" });
  const element = h("article", {},
    h("header", { class: "heading" }, h("div", { class: "who" }, h("div", { class: "name" }, heading, badge), email), commands),
    content);

  async function read() {
    const [record, { body }] = await Promise.all([
      request("GET", `/user/${name}`, { signal }),
      request("GET", `/user/history/${name}?limit=${LIMIT}`, { signal }),
    ]);
    return { record: record.body, tag: record.tag, points: body.points, earned: body.earned, entries: body.entries, next: body.next };
  }

  function draw() {
    const { record, entries } = shown;
    heading.textContent = record.username;
    // The address may have the name in another case.
    document.title = `${record.username} · Users`;
    badge.replaceChildren(tier(record.status));
    email.replaceChildren(...(typeof record.email === "string" ? [record.email] : []));
    commands.hidden = false;
    balance.replaceChildren(
      h("dl", { class: "figures" },
        h("div", {}, h("dt", {}, "Balance"), h("dd", { class: "large" }, number(record.points ?? 0))),
        h("div", {}, h("dt", {}, "Earned in all"), h("dd", {}, number(shown.earned)))),
      chart(entries) ?? "");
    drawHistory();
    const { username: _, email: __, points: ___, status: ____, ...rest } = record;
    others.replaceChildren(...(Object.keys(rest).length > 0
      ? [h("h2", {}, "Other members"), h("dl", { class: "members card" }, Object.entries(rest).map(([key, value]) =>
        h("div", {}, h("dt", {}, key), h("dd", {}, typeof value === "string" ? value : h("code", {}, pretty(value))))))]
      : []));
    if (!content.contains(balance)) content.replaceChildren(balance, actions, history, others);
  }

  function drawHistory() {
    history.replaceChildren(h("h2", { id: "history", tabindex: "-1" }, "History"), ...historyList(shown.entries, length, {
      more: shown.next ? readOlder : null,
      reverse: (entry) => reverseDialog(entry, shown.record.username, change),
      show: (count) => {
        const next = shown.entries[length];
        length = count;
        draw();
        // Continues where reading stopped.
        const item = next && document.getElementById(`entry-${next.sequence}`);
        item?.setAttribute("tabindex", "-1");
        item?.focus();
      },
    }));
  }

  async function readOlder() {
    try {
      const { body } = await request("GET", shown.next, { signal });
      shown = { ...shown, entries: [...shown.entries, ...body.entries], next: body.next };
    } catch (problem) {
      if (!signal.aborted) announce(`${problem.title}: ${problem.detail}`);
    }
  }

  async function load() {
    content.replaceChildren(loading(username));
    try {
      shown = await read();
      draw();
    } catch (problem) {
      if (signal.aborted) return;
      commands.hidden = true;
      content.replaceChildren(problem.status === 404 ? nobody(problem) : failed(problem, load));
    }
  }

  function nobody(problem) {
    const create = `#/new?${new URLSearchParams({ username })}`;
    return empty(problem.title, h("p", {}, problem.detail),
      h("p", { class: "buttons" }, h("a", { class: "button", href: create }, `Create ${username}`), h("a", { class: "button", href: "#/users" }, "Show all users")));
  }

  /** Changes the user if its state is still the one on the screen, and shows the new state. */
  async function change(method, path, options = {}) {
    try {
      const answer = await request(method, `/user/${path}${name}`, { ...options, ifMatch: shown.tag, signal });
      if (method !== "DELETE") {
        shown = await read();
        draw();
      }
      return answer;
    } catch (problem) {
      throw problem.status === 412 ? await conflict() : problem;
    }
  }

  /** Shows the current state of the user, and what others have changed. */
  async function conflict() {
    const before = shown.entries[0].sequence;
    shown = await read();
    draw();
    const news = shown.entries.filter((entry) => entry.sequence > before);
    const problem = new Problem({
      status: 412,
      title: "Changed in the meantime",
      detail: `Nothing was done: ${username} is no longer what you saw. ${news.length > 0 ? "Since then:" : ""}`,
    });
    problem.more = news.length > 0
      ? [h("ul", {}, news.map((entry) => h("li", {}, describe(entry), entry.reason && ` (${entry.reason})`))), h("p", {}, "Have a look, and do it again if it is still right.")]
      : [];
    return problem;
  }

  const actions = h("section", { class: "card actions", "aria-label": "Actions" }, pointsForm(change), promotionForm(change));
  load();
  return { title: username, element };
}

function pointsForm(change) {
  const amount = h("input", { inputmode: "numeric", autocomplete: "off", required: true });
  const reason = h("input", { autocomplete: "off" });
  const form = h("form", { novalidate: true },
    h("h2", {}, "Change points"),
    field("Points", amount, { pointer: "/points" }),
    field("Reason", reason, { pointer: "/reason", hint: "Up to 200 characters, shown in the history" }),
    h("div", { class: "buttons" },
      h("button", { class: "primary", value: "award" }, "Award"),
      h("button", { value: "redeem" }, "Redeem")));
  const intention = new Intention();
  onSubmit(form, async (command) => {
    const count = integerOf(amount);
    const json = { points: command === "redeem" ? -count : count, reason: reason.value.trim() || undefined };
    const { body } = await change("POST", "points/", { json, idempotencyKey: intention.keyFor(json) });
    intention.done();
    form.reset();
    announce(`${command === "redeem" ? "Redeemed" : "Awarded"} ${points(count)}. The balance is ${number(body.points)}.`);
  });
  return form;
}

function promotionForm(change) {
  const form = h("form", { class: "promotion", novalidate: true },
    h("h2", {}, "Tier"),
    h("p", { class: "hint" }, "Promotion gives the tier that the points earn, which may be a lower one."),
    h("div", { class: "buttons" }, h("button", {}, "Promote")));
  onSubmit(form, async () => {
    const { body } = await change("PUT", "promote/");
    announce(`${body.username} is ${body.status}.`);
  });
  return form;
}

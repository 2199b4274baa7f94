// The history of a record: what happened, when, and the balance after it.

import { h } from "./dom.js";
import { difference, number, points, tier, time } from "./parts.js";

/** How many entries to show at first. */
const SCREENFUL = 20;

/**
 * Describes an entry of a history in words.
 * @param {object} entry
 * @returns {string}
 */
export function describe(entry) {
  switch (entry.change) {
    case "created":
      return entry.points ? `Created with ${points(entry.points)}` : "Created";
    case "updated":
      return `Changed ${entry.members?.join(", ") ?? "the record"}`;
    case "promoted":
      return `Tier set to ${entry.status}`;
    case "points":
      if (entry.reverses) return `Reversed #${entry.reverses}`;
      return entry.points > 0 ? `Awarded ${points(entry.points)}` : `Redeemed ${points(-entry.points)}`;
    default:
      // A later version of the API may have other kinds.
      return entry.change;
  }
}

const SIGNS = { created: "●", updated: "✎", promoted: "▲" };

function sign(entry) {
  if (entry.reverses) return "↺";
  return SIGNS[entry.change] ?? (entry.points > 0 ? "+" : "−");
}

/**
 * The entries as a list, with a button that shows older ones.
 * @param {Array<object>} entries The entries read so far, newest first.
 * @param {number} shown How many of them to show at first.
 * @param {object} actions
 * @param {?function(): Promise} actions.more Reads older entries; `null` if there are none.
 * @param {function(object)} actions.reverse Called with the entry to reverse.
 * @param {function(number)} actions.show Called with how many to show from now on.
 * @returns {Array<HTMLElement>}
 */
export function historyList(entries, shown, { more, reverse, show }) {
  const reversedBy = new Map(entries.filter((entry) => entry.reverses).map((entry) => [entry.reverses, entry.sequence]));
  const items = entries.slice(0, shown).map((entry) => h("li", { id: `entry-${entry.sequence}` },
    h("span", { class: `sign ${entry.change} ${entry.points < 0 ? "less" : ""}`, "aria-hidden": "true" }, sign(entry)),
    h("div", { class: "what" },
      h("p", {}, entry.change === "promoted" ? "Tier set to" : describe(entry), entry.status && [" ", tier(entry.status)]),
      h("p", { class: "when" }, entry.reason && [h("span", { class: "reason" }, entry.reason), " · "],
        time(entry.time), ` · #${entry.sequence}`,
        reversedBy.has(entry.sequence) && `, reversed by #${reversedBy.get(entry.sequence)}`)),
    entry.change === "points" && !entry.reverses && !reversedBy.has(entry.sequence)
      && h("button", { type: "button", class: "small", "aria-label": `Reverse #${entry.sequence}: ${describe(entry)}`, onclick: () => reverse(entry) }, "Reverse"),
    entry.balance !== undefined && h("div", { class: "balance" },
      h("span", { class: entry.points < 0 ? "delta less" : "delta" }, difference(entry.points ?? 0)),
      h("span", { class: "after" }, h("span", { class: "hidden" }, "balance "), number(entry.balance)))));
  const older = entries.length > shown || more;
  return [
    h("ol", { class: "entries", reversed: true }, items),
    older && h("p", { class: "buttons" }, h("button", { type: "button", onclick: (event) => {
      const next = shown + SCREENFUL;
      if (entries.length >= next || !more) return show(next);
      event.target.textContent = "Loading …";
      return more().then(() => show(next));
    } }, "Show older")),
  ].filter(Boolean);
}

historyList.SCREENFUL = SCREENFUL;

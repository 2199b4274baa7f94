// Parts of several views: tiers, numbers, times, and the states of loading, emptiness and failure.

import { h, svg } from "./dom.js";

const numbers = new Intl.NumberFormat();
const signed = new Intl.NumberFormat(undefined, { signDisplay: "always" });
const times = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A number for people. */
export const number = (value) => numbers.format(value);

/** A number that always shows its sign. */
export const difference = (value) => signed.format(value).replace("-", "−");

/** A number of points in words. */
export const points = (value) => `${number(value)} ${value === 1 ? "point" : "points"}`;

/** A time relative to another: the day, or the time of day if it is the same day. */
export function when(at, from) {
  const text = days.format(at);
  return text === days.format(from) ? clock.format(at) : text;
}

/** A time, with its exact form as a tooltip. */
export const time = (value) => h("time", { datetime: value, title: value }, times.format(new Date(value)));

/** The address of a user's page. */
export const userPath = (username) => `#/users/${encodeURIComponent(username)}`;

const CHEVRONS = { Bronze: 1, Silver: 2, Gold: 3 };

/** A tier: its name, its colour, and one to three chevrons, which tell it without the colour. */
export function tier(status) {
  const count = CHEVRONS[status];
  if (!count) return h("span", { class: "tier none" }, status ?? "No tier");
  const top = 8 - count * 2;
  const lines = Array.from({ length: count }, (_, index) => `M3 ${top + 4 + index * 4}l5-4 5 4`).join("");
  return h("span", { class: `tier ${status.toLowerCase()}` },
    svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: lines })),
    status);
}

/** Shows that something is being loaded. */
export const loading = (what) => h("p", { class: "state loading", role: "status" }, `Loading ${what} …`);

/** Shows that there is nothing, and what to do about it. */
export const empty = (title, ...children) => h("div", { class: "state" }, h("h2", {}, title), ...children);

/** Shows why loading failed, and offers a retry. */
export function failed(problem, again) {
  return h("div", { class: "state failed", role: "alert" },
    h("h2", {}, problem.title ?? "The console failed"),
    h("p", {}, problem.detail ?? problem.message),
    h("button", { type: "button", onclick: again }, "Try again"));
}

// The balance over time, as a step chart, since the balance does not change between two changes.

import { h, svg } from "./dom.js";
import { number, points, time, when } from "./parts.js";

const WIDTH = 600;
const HEIGHT = 150;

/**
 * @param {Array<object>} entries The entries of a history, newest first; those without a balance are ignored.
 * @returns {?HTMLElement} Nothing if there is no balance to draw.
 */
export function chart(entries) {
  const steps = entries.filter((entry) => entry.balance !== undefined)
    .map((entry) => ({ at: Date.parse(entry.time), balance: entry.balance, time: entry.time }))
    .reverse();
  if (steps.length === 0) return null;
  const start = steps[0].at;
  const end = Math.max(Date.now(), steps.at(-1).at + 1);
  const top = ceiling(Math.max(...steps.map((step) => step.balance)));
  const x = (at) => ((at - start) / (end - start)) * WIDTH;
  const y = (balance) => HEIGHT - (balance / top) * HEIGHT;
  const line = steps.map((step, index) => `${index === 0 ? "M" : "H"}${x(step.at).toFixed(1)}${index === 0 ? " " : "V"}${y(step.balance).toFixed(1)}`).join("") + `H${WIDTH}`;
  const highest = steps.reduce((one, other) => (other.balance > one.balance ? other : one));
  const summary = `Balance from ${number(steps[0].balance)} (${when(start, end)}) to ${number(steps.at(-1).balance)} now; the highest was ${number(highest.balance)} (${when(highest.at, end)}).`;

  const cursor = svg("path", { class: "cursor", d: "" });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": summary },
    [0, top / 2, top].map((value) => svg("path", { class: "grid", d: `M0 ${y(value)}H${WIDTH}` })),
    svg("path", { class: "area", d: `${line}V${HEIGHT}H0Z` }),
    svg("path", { class: "line", d: line }),
    cursor);
  const caption = h("figcaption", {}, "");
  const rest = () => {
    cursor.setAttribute("d", "");
    caption.replaceChildren(h("span", {}, when(start, end)), h("span", {}, "now"));
  };
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = start + ((event.clientX - box.left) / box.width) * (end - start);
    const step = steps.findLast((one) => one.at <= at) ?? steps[0];
    cursor.setAttribute("d", `M${x(step.at)} 0V${HEIGHT}`);
    caption.replaceChildren(h("span", {}, points(step.balance), " from ", time(step.time)));
  });
  drawing.addEventListener("pointerleave", rest);
  rest();
  return h("figure", { class: "chart" },
    h("div", { class: "plot" },
      h("div", { class: "scale", "aria-hidden": "true" }, [top, top / 2, 0].map((value) => h("span", {}, number(value)))),
      drawing),
    caption);
}

/** The next number at or above `value` that reads well on a scale, as does half of it. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 10)));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

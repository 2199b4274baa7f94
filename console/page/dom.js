// Elements, made without markup: text is only ever inserted as text, so nothing in a record can become part of the page.

/**
 * Creates an HTML element.
 * @param {string} name The tag.
 * @param {Object<string, *>} [attributes] `on…` adds a listener; `true` sets an empty attribute; `false`, `null` and
 *   `undefined` set none.
 * @param {...*} children Nodes and texts, also in arrays; `false`, `null` and `undefined` are skipped.
 * @returns {HTMLElement}
 */
export function h(name, attributes, ...children) {
  return furnish(document.createElement(name), attributes, children);
}

/**
 * Creates an SVG element; the parameters are those of {@link h}.
 * @returns {SVGElement}
 */
export function svg(name, attributes, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Shows a passing message, on the screen and to screen readers. An empty text removes it. */
export function announce(text) {
  const close = h("button", { type: "button", "aria-label": "Dismiss", onclick: () => announce("") }, "×");
  document.getElementById("toast").replaceChildren(...(text ? [h("p", {}, text), close] : []));
}

let dialogs = 0;

/**
 * Opens a modal dialog. It is removed when it closes, and the focus goes back to where it was.
 * @param {string} title Its heading.
 * @param {...*} children Its content; see {@link h}.
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, ...children) {
  const id = `dialog-${(dialogs += 1)}`;
  const dialog = h("dialog", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

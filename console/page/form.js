// Forms: fields with hints and errors, problems shown where they belong, and one effect per intention.

import { h } from "./dom.js";

let fields = 0;

/**
 * Creates a labelled field.
 * @param {string} label
 * @param {HTMLInputElement|HTMLTextAreaElement} input
 * @param {object} [options]
 * @param {string} [options.pointer] The JSON pointer of the member that is entered here. Problems of it, and of what it
 *   contains, are shown at this field; a field with an empty pointer shows those that have no field of their own.
 * @param {string} [options.hint]
 * @returns {HTMLElement}
 */
export function field(label, input, { pointer, hint } = {}) {
  const id = `field-${(fields += 1)}`;
  input.id = id;
  if (pointer !== undefined) input.dataset.pointer = pointer;
  input.setAttribute("aria-describedby", `${hint ? `${id}-hint ` : ""}${id}-error`);
  return h("div", { class: "field" },
    h("label", { for: id }, label, !input.required && h("span", { class: "optional" }, " optional")),
    input,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    h("p", { class: "error", id: `${id}-error` }));
}

/** An error in what was typed, found before anything was sent. */
export class FieldError extends Error {
  constructor(input, message) {
    super(message);
    this.input = input;
  }
}

/**
 * Runs `action` when a form is submitted, one run at a time, and shows failures in the form.
 *
 * The second click of a double click does nothing.
 * @param {HTMLFormElement} form
 * @param {function(string): *} action Gets the value of the button; may throw a `Problem` or a {@link FieldError}.
 */
export function onSubmit(form, action) {
  form.prepend(h("div", { class: "problem", role: "alert" }));
  form.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest("button")) event.preventDefault();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    clearErrors(form);
    const blank = [...form.elements].find((element) => element.required && element.value.trim() === "");
    if (blank) {
      showAtField(blank, "Fill this in.");
      blank.focus();
      return;
    }
    form.ariaBusy = "true";
    try {
      await action(event.submitter?.value ?? "");
    } catch (error) {
      showError(form, error);
    } finally {
      form.ariaBusy = "false";
    }
  });
}

function clearErrors(form) {
  form.querySelector(".problem").replaceChildren();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    document.getElementById(`${input.id}-error`).replaceChildren();
  }
}

function showAtField(input, message) {
  input.setAttribute("aria-invalid", "true");
  const error = document.getElementById(`${input.id}-error`);
  error.append(h("span", {}, message));
}

function showError(form, error) {
  if (error.name === "AbortError") return;
  if (error instanceof FieldError) {
    showAtField(error.input, error.message);
    error.input.focus();
    return;
  }
  if (!error.detail) {
    // A defect of this page, not a problem from the API.
    form.querySelector(".problem").append(h("p", {}, `The console failed: ${error.message}`));
    throw error;
  }
  const inputs = [...form.querySelectorAll("[data-pointer]")];
  const rest = [];
  for (const { pointer, detail } of error.errors ?? []) {
    const holds = ({ dataset }) => pointer === dataset.pointer || pointer.startsWith(`${dataset.pointer}/`);
    const [input] = inputs.filter(holds).sort((one, other) => other.dataset.pointer.length - one.dataset.pointer.length);
    const text = input?.dataset.pointer === pointer || pointer === "" ? detail : `${pointer} ${detail}`;
    if (input) showAtField(input, text);
    else rest.push(h("li", {}, text));
  }
  form.querySelector(".problem").append(
    h("p", {}, h("strong", {}, error.title), " ", error.detail),
    ...(error.more ?? []),
    ...(rest.length > 0 ? [h("ul", {}, rest)] : []));
  form.querySelector("[aria-invalid]")?.focus();
}

/**
 * Makes idempotency keys, one for each thing that a person means to do. A request that is repeated, because the answer was
 * lost or a token was missing, has the same key. A different request, or one after a success, has another.
 */
export class Intention {
  #text;
  #key;

  /** The key for sending this value. */
  keyFor(json) {
    const text = JSON.stringify(json);
    if (text !== this.#text) {
      this.#text = text;
      this.#key = randomKey();
    }
    return this.#key;
  }

  /** Records a success: the next request gets a new key. */
  done() {
    this.#text = undefined;
  }
}

function randomKey() {
  // `randomUUID` exists only on secure origins, and a console in a private network may not have one.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The whole number that was typed, or `undefined` if the field is empty. */
export function integerOf(input) {
  const text = input.value.trim();
  if (text === "") return undefined;
  if (!/^[0-9]+$/.test(text)) throw new FieldError(input, "Enter a whole number in digits, such as 30.");
  return Number(text);
}

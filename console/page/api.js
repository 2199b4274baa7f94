// Requests to the API, as any other client would send them.

import { h, openDialog } from "./dom.js";
import { onSubmit, field } from "./form.js";
import { parse } from "./json.js";

const TOKEN = "users-console-token";

/** Why a request failed (RFC 9457), or that the server gave no problem. */
export class Problem extends Error {
  /** @param {{status?: number, type?: string, title: string, detail?: string, errors?: Array<{pointer: string, detail: string}>}} members */
  constructor({ status = 0, type = "about:blank", title, detail = title, errors = [] }) {
    super(detail);
    Object.assign(this, { status, type, title, detail, errors });
  }

  /** Whether the problem is of this kind, a name such as `user-not-found`. */
  is(kind) {
    return this.type === `urn:problem:${kind}`;
  }
}

/**
 * Sends a request. If the API requires a token, or another one, asks the person for it and repeats the request.
 * @param {string} method
 * @param {string} path The path and query.
 * @param {object} [options]
 * @param {*} [options.json] The body, as a value.
 * @param {string} [options.contentType] The type of the body.
 * @param {string} [options.ifMatch] The entity tag of the state on the screen.
 * @param {string} [options.idempotencyKey]
 * @param {AbortSignal} [options.signal]
 * @returns {Promise<{body: *, tag: ?string}>} The body as a value, and the entity tag.
 * @throws {Problem} If the request failed.
 */
export async function request(method, path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const response = await send(method, path, token, options);
    if (response.ok) {
      const text = await response.text();
      return { body: text === "" ? null : parse(text), tag: response.headers.get("etag") };
    }
    const problem = await problemOf(response);
    if (response.status !== 401 || !(await replaceToken(token, problem))) throw problem;
  }
}

async function send(method, path, token, { json, contentType = "application/json", ifMatch, idempotencyKey, signal }) {
  const headers = new Headers();
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  if (json !== undefined) headers.set("content-type", contentType);
  // A proxy that compresses marks the tag as weak. The record behind it is the same, and If-Match compares strongly.
  if (ifMatch) headers.set("if-match", ifMatch.replace(/^W\//, ""));
  if (idempotencyKey) headers.set("idempotency-key", idempotencyKey);
  try {
    return await fetch(path, { method, headers, body: json === undefined ? undefined : JSON.stringify(json), signal, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({
      title: "No answer",
      detail: method === "GET"
        ? "The server did not answer. Check the connection and try again."
        : "The server did not answer, so this may have been done or not. Trying again is safe: it is done once at most.",
    });
  }
}

async function problemOf(response) {
  const { status } = response;
  if (response.headers.get("content-type")?.startsWith("application/problem+json")) {
    try {
      return new Problem({ ...(await response.json()), status });
    } catch {
      // The body was cut off; the status is still useful.
    }
  }
  return new Problem({ status, title: `Status ${status}`, detail: `The server answered with status ${status} and did not say why.` });
}

let asking = null;

/** Asks for a token other than `refused`. Requests that fail at the same time share one dialog. */
async function replaceToken(refused, problem) {
  if (sessionStorage.getItem(TOKEN) !== refused) return true;
  asking ??= askForToken(problem.detail).finally(() => (asking = null));
  return asking;
}

/** Whether the tab has a token. */
export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

/**
 * Asks for a token, which is kept only for this tab.
 * @param {string} [why] The API's explanation.
 * @returns {Promise<boolean>} Whether there is a new one.
 */
export function askForToken(why) {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", autocomplete: "off", required: true, spellcheck: "false" });
    const form = h("form", { novalidate: true },
      why && h("p", { class: "warning" }, why),
      field("Access token", input, { hint: "One of the API's bearer tokens. It is kept until you close this tab." }),
      h("div", { class: "buttons" },
        h("button", { class: "primary" }, "Use this token"),
        hasToken() && h("button", { type: "button", onclick: () => finish(null) }, "Forget the token"),
        h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
    const dialog = openDialog("Access", form);
    let changed = false;
    const finish = (token) => {
      if (token === null) sessionStorage.removeItem(TOKEN);
      else sessionStorage.setItem(TOKEN, token);
      changed = true;
      dialog.close();
      dispatchEvent(new Event("token"));
    };
    onSubmit(form, () => finish(input.value.trim()));
    dialog.addEventListener("close", () => resolve(changed));
  });
}

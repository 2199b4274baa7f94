// The form that creates a user.

import { request } from "./api.js";
import { announce, h } from "./dom.js";
import { FieldError, Intention, field, integerOf, onSubmit } from "./form.js";
import { parseObject } from "./json.js";
import { userPath } from "./parts.js";

/**
 * @param {URLSearchParams} query `username` fills the field.
 * @returns {{title: string, element: HTMLElement}}
 */
export function createView(query) {
  const text = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
  const username = h("input", { ...text, required: true, value: query.get("username") });
  const email = h("input", { ...text, inputmode: "email" });
  const points = h("input", { ...text, inputmode: "numeric" });
  const others = h("textarea", { ...text, rows: 4, class: "code" });
  const form = h("form", { class: "card", novalidate: true },
    field("Username", username, { pointer: "/username", hint: "Letters, digits and . _ - after a letter or digit. It stays for ever." }),
    field("Email", email, { pointer: "/email" }),
    field("Points to begin with", points, { pointer: "/points" }),
    field("Other members", others, { pointer: "", hint: 'A JSON object, such as {"city": "Ulm"}. They are kept as they are.' }),
    h("div", { class: "buttons" }, h("button", { class: "primary" }, "Create user")));
  const intention = new Intention();
  onSubmit(form, async () => {
    const json = withOthers({ username: username.value.trim() }, { email: email.value.trim() || undefined, points: integerOf(points) }, others);
    const { body } = await request("POST", "/user", { json, idempotencyKey: intention.keyFor(json) });
    intention.done();
    location.hash = userPath(body.username);
    addEventListener("hashchange", () => announce(`${body.username} was created.`), { once: true });
  });
  const element = h("article", { class: "narrow" }, h("h1", { tabindex: "-1" }, "New user"), form);
  return { title: "New user", element };
}

/**
 * Assembles a record from its fields and the JSON of its other members.
 * @param {Object<string, *>} record
 * @param {Object<string, *>} named Values of further fields; `undefined` leaves a member out.
 * @param {HTMLTextAreaElement} input The other members.
 * @returns {Object<string, *>}
 * @throws {FieldError} If they are not a JSON object, or have a member that has a field of its own.
 */
export function withOthers(record, named, input) {
  let others;
  try {
    others = parseObject(input.value);
  } catch (error) {
    throw new FieldError(input, error.message);
  }
  const own = { ...record, ...named };
  const twice = Object.keys(others).find((name) => Object.hasOwn(own, name));
  if (twice) throw new FieldError(input, `“${twice}” has a field of its own.`);
  return Object.fromEntries([...Object.entries(own), ...Object.entries(others)].filter(([, value]) => value !== undefined));
}

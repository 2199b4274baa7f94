// Dialogs that edit a user, reverse a change of points, or erase the user.
//
// `change` sends a request of the user's page: method, the folder of the path, options.

import { withOthers } from "./create.js";
import { announce, h, openDialog } from "./dom.js";
import { FieldError, Intention, field, onSubmit } from "./form.js";
import { describe } from "./history.js";
import { mergePatch, pretty } from "./json.js";
import { number } from "./parts.js";

/** Opens a dialog with a form. `action` does the work; the dialog closes when it returns. */
function formDialog(title, children, buttons, action) {
  const form = h("form", { novalidate: true }, children,
    h("div", { class: "buttons" }, buttons, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = openDialog(title, form);
  onSubmit(form, async () => {
    await action();
    dialog.close();
  });
  return dialog;
}

/** Edits the members that clients may set, and sends the differences from `record` as a merge patch. */
export function editDialog(record, change) {
  const { username, email: address, points: _, status: __, ...others } = record;
  const text = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
  const email = h("input", { ...text, inputmode: "email", value: address });
  const members = h("textarea", { ...text, class: "code", rows: 8 });
  members.value = Object.keys(others).length > 0 ? pretty(others) : "";
  formDialog(`Edit ${username}`, [
    field("Email", email, { pointer: "/email", hint: "Empty it to remove the address." }),
    field("Other members", members, { pointer: "", hint: "A JSON object" }),
  ], h("button", { class: "primary" }, "Save"), async () => {
    const edited = withOthers({}, { email: email.value.trim() || undefined }, members);
    let patch;
    try {
      patch = mergePatch(address === undefined ? others : { email: address, ...others }, edited);
    } catch (error) {
      throw new FieldError(members, error.message);
    }
    if (Object.keys(patch).length === 0) return announce("Nothing was changed.");
    await change("PATCH", "update/", { json: patch, contentType: "application/merge-patch+json" });
    announce(`${username} was changed.`);
  });
}

/** Reverses an award or a redemption. */
export function reverseDialog(entry, username, change) {
  const reason = h("input", { autocomplete: "off" });
  const intention = new Intention();
  const dialog = formDialog(`Reverse #${entry.sequence}`, [
    h("p", {}, `${describe(entry)}${entry.reason ? ` (${entry.reason})` : ""}. `,
      entry.points > 0 ? `${username} loses these points again.` : `${username} gets these points back.`),
    field("Reason", reason, { pointer: "/reason" }),
  ], h("button", { class: "primary" }, "Reverse"), async () => {
    const json = { reverses: entry.sequence, reason: reason.value.trim() || undefined };
    const { body } = await change("POST", "points/", { json, idempotencyKey: intention.keyFor(json) });
    intention.done();
    announce(`Reversed #${entry.sequence}. The balance is ${number(body.points)}.`);
  });
  // The button that opened the dialog is gone once the entry is reversed.
  dialog.addEventListener("close", () => document.activeElement === document.body && document.getElementById("history")?.focus());
}

/** Erases the user after the person has confirmed the name. */
export function eraseDialog(username, change) {
  const dialog = formDialog(`Erase ${username}?`, [
    h("p", {}, "The record of ", h("strong", {}, username), " and its whole history are deleted. This cannot be undone."),
  ], h("button", { class: "danger primary" }, `Erase ${username}`), async () => {
    await change("DELETE", "erase/");
    location.hash = "#/users";
    addEventListener("hashchange", () => announce(`${username} was erased.`), { once: true });
  });
  // Enter alone must not erase anybody.
  dialog.querySelector("button[type=button]").focus();
}

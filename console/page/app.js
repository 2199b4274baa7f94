// The page: navigation between views, the search, and the token.

import { askForToken, hasToken } from "./api.js";
import { createView } from "./create.js";
import { announce, h } from "./dom.js";
import { listView } from "./list.js";
import { empty, userPath } from "./parts.js";
import { userView } from "./user.js";

const main = document.getElementById("main");
let leaving = new AbortController();

/** The view for an address such as `#/users/jane` or `#/users?status=Gold`. */
function viewOf(hash, signal) {
  const { pathname, searchParams } = new URL(hash.slice(1) || "/users", location.origin);
  const user = /^\/users\/([^/]+)$/.exec(pathname);
  if (user) return userView(decoded(user[1]), signal);
  if (pathname === "/users" || pathname === "/") return listView(searchParams, signal);
  if (pathname === "/new") return createView(searchParams);
  const element = h("article", {}, h("h1", { tabindex: "-1" }, "Not found"),
    empty("There is no such view", h("p", {}, h("a", { href: "#/users" }, "Show all users"))));
  return { title: "Not found", element };
}

function decoded(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function show(event) {
  leaving.abort();
  leaving = new AbortController();
  announce("");
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  const { title, element } = viewOf(location.hash, leaving.signal);
  document.title = `${title} · Users`;
  for (const link of document.querySelectorAll(".bar nav a")) {
    link.toggleAttribute("aria-current", link.getAttribute("href") === (location.hash || "#/users"));
    if (link.hasAttribute("aria-current")) link.setAttribute("aria-current", "page");
  }
  main.replaceChildren(element);
  if (event) {
    // As after any navigation: from the top, and a screen reader reads the heading first.
    scrollTo(0, 0);
    element.querySelector("h1").focus({ preventScroll: true });
  }
}

addEventListener("hashchange", show);

const query = document.getElementById("query");
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = query.value.trim();
  if (text === "") return query.focus();
  const target = text.includes("@") ? `#/users?${new URLSearchParams({ email: text })}` : userPath(text);
  query.value = "";
  if (target === location.hash) show(event);
  else location.hash = target;
});

const token = document.getElementById("token");
const showToken = () => (token.textContent = hasToken() ? "Change token" : "Access token");
token.addEventListener("click", async () => {
  if (await askForToken()) show();
});
addEventListener("token", showToken);
showToken();

document.getElementById("skip").addEventListener("click", (event) => {
  // The fragment names the view, so it cannot also name a place in the page.
  event.preventDefault();
  main.focus();
});

show();

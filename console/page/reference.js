// Renders the API reference from the OpenAPI document, in the colours of the console.

const COLORS = {
  "bg-color": "--card",
  "text-color": "--ink",
  "primary-color": "--accent",
  "secondary-color": "--accent",
  "nav-bg-color": "--ground",
  "nav-text-color": "--ink",
  "nav-hover-bg-color": "--wash",
  "nav-hover-text-color": "--ink",
};

const explorer = document.createElement("openapi-explorer");
const dark = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  const tokens = getComputedStyle(document.documentElement);
  for (const [attribute, token] of Object.entries(COLORS)) {
    explorer.setAttribute(attribute, tokens.getPropertyValue(token).trim());
  }
}

paint();
dark.addEventListener("change", paint);
explorer.setAttribute("spec-url", "/console/openapi.yaml");
// Requests that are tried from here go to the application that served this page.
explorer.setAttribute("server-url", location.origin);
explorer.setAttribute("hide-server-selection", "");
document.body.append(explorer);

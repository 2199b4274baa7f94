// Takes the screenshots in the README from the running application.

import { join } from "node:path";

import { api, create, url } from "./browser.mjs";

const PEOPLE = {
  amara: 132, bjorn: 58, chen: 240, dana: 12, elif: 77, farid: 101, grace: 5, hugo: 64, ines: 180, jonas: 33, kofi: 96, lena: 51,
};

/** Fills the application and takes the pictures. */
export async function screenshots(open) {
  for (const [username, points] of Object.entries(PEOPLE)) {
    await create({ username, email: `${username}@example.com`, points });
    await api("PUT", `/user/promote/${username}`);
  }
  const desktop = { width: 1180, height: 800 };
  const light = await open("", { viewport: desktop });
  const dark = await open("", { viewport: desktop, colorScheme: "dark" });
  const phone = await open("", { viewport: { width: 390, height: 1000 } });
  const pictures = [
    [light, "user-light", "#/users/jane", ".entries"],
    [dark, "user-dark", "#/users/jane", ".entries"],
    [phone, "user-phone", "#/users/jane", ".entries"],
    [light, "list-light", "", "tbody tr"],
    [light, "reference-light", "reference#?route=post-/user/points/-username-", "openapi-explorer code"],
  ];
  await create({ username: "jane", email: "jane@example.com", points: 20, address: { city: "Ulm" }, newsletter: true });
  const changes = [[45, "order 1041"], [-15, "voucher 12"], [30, "order 1077"], [-40, "voucher 19"], [25, "birthday"], [60, "order 1130"]];
  for (const [points, reason] of changes) {
    await api("POST", "/user/points/jane", { json: { points, reason } });
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
  await api("PUT", "/user/promote/jane");
  for (const [page, name, view, ready] of pictures) {
    await page.goto(`${url}/console/${view}`);
    await page.locator(ready).first().waitFor();
    await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
  }
}

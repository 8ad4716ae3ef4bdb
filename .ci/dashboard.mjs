// What a person does with the dashboard: read it, filter, rerun a job, delete one. Through chromedriver; with a folder for screenshots.
import { writeFileSync } from "node:fs";

const [driver, dashboard, shots] = process.argv.slice(2);

async function ask(method, path, body) {
  const answer = await fetch(`${driver}${path}`, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${path}: ${value.message}`);
  return value;
}

const args = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--window-size=1280,900",
];
const capabilities = { alwaysMatch: { "goog:chromeOptions": { args }, "goog:loggingPrefs": { browser: "ALL" } } };
const { sessionId } = await ask("POST", "/session", { capabilities });
const session = `/session/${sessionId}`;
const run = (script, ...args) => ask("POST", `${session}/execute/sync`, { script, args });

async function shows(...texts) {
  let page;
  for (const until = Date.now() + 30_000; Date.now() < until; ) {
    page = await run("return document.body.innerText");
    if (texts.every((text) => page.includes(text))) return;
    await new Promise((later) => setTimeout(later, 100));
  }
  throw new Error(`it does not show ${texts}, but:\n${page}`);
}

async function click(selector, text) {
  const script = `
    const found = [...document.querySelectorAll(arguments[0])].find((element) => element.innerText.includes(arguments[1]));
    if (!found) return false;
    found.click();
    return true;`;
  if (!(await run(script, selector, text))) throw new Error(`there is no ${selector} that says ${text}`);
}

async function shot(name) {
  if (!shots) return;
  for (const value of ["light", "dark"]) {
    const media = { cmd: "Emulation.setEmulatedMedia", params: { features: [{ name: "prefers-color-scheme", value }] } };
    await ask("POST", `${session}/goog/cdp/execute`, media);
    writeFileSync(`${shots}/${name}-${value}.png`, Buffer.from(await ask("GET", `${session}/screenshot`), "base64"));
  }
}

try {
  await ask("POST", `${session}/url`, { url: dashboard });
  await shows("done\n6", "person.created", "dead\n0");
  await shot("list");
  await click("#counts a", "done");
  await shows("Rerun all of these");
  await click("td a", "1");
  await shows("Stored", "\"eventName\": \"person.created\"", "Rerun …");
  await shot("job");
  await click("a", "Rerun …");
  await shows("Rerun 1 job?");
  await shot("confirm");
  await click("button", "Rerun");
  await shows("done\n6");
  await click("td a", "2");
  await shows("Delete …");
  await click("a", "Delete …");
  await shows("Delete 1 job?");
  await click("button", "Delete");
  // By the script, which its own policy lets run.
  await run("window.old = document.getElementById('counts').innerHTML = ''");
  await shows("done\n5");
  const refused = (await ask("POST", `${session}/se/log`, { type: "browser" })).filter(({ message }) => !message.includes("favicon"));
  if (refused.length > 0) throw new Error(`the browser complains: ${JSON.stringify(refused)}`);
} finally {
  await ask("DELETE", session);
}

// What a person would do with the board: open its pages and read them. Through chromedriver, given its port; `FILE.png` is for a screenshot.
import { writeFileSync } from "node:fs";

const [driver, board, shot] = process.argv.slice(2);

async function ask(method, path, body) {
  const answer = await fetch(`${driver}${path}`, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${path}: ${value.message}`);
  return value;
}

const args = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"];
const capabilities = { alwaysMatch: { "goog:chromeOptions": { args } } };
const { sessionId } = await ask("POST", "/session", { capabilities });
const session = `/session/${sessionId}`;

async function shows(path, ...texts) {
  await ask("POST", `${session}/url`, { url: board + path });
  let page;
  for (const until = Date.now() + 30_000; Date.now() < until; ) {
    page = await ask("POST", `${session}/execute/sync`, { script: "return document.body.innerText", args: [] });
    if (texts.every((text) => page.includes(text))) return;
    await new Promise((later) => setTimeout(later, 100));
  }
  throw new Error(`${path} does not show ${texts}, but:\n${page}`);
}

try {
  await shows("/queues", "twenty-webhook", "100.0", "Healthy");
  if (shot) writeFileSync(shot, Buffer.from(await ask("GET", `${session}/screenshot`), "base64"));
  await shows("/queues/twenty-webhook", "crm-sync-");
} finally {
  await ask("DELETE", session);
}

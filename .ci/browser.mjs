// A headless Chromium, through chromedriver.
import { writeFileSync } from "node:fs";

const args = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--window-size=1280,900",
];

// A session, and what can be done in it. With a folder for screenshots, `shot` writes them.
export async function open(driver, shots) {
  async function ask(method, path, body) {
    const answer = await fetch(`${driver}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.message}`);
    return value;
  }

  const capabilities = { alwaysMatch: { "goog:chromeOptions": { args }, "goog:loggingPrefs": { browser: "ALL" } } };
  const { sessionId } = await ask("POST", "/session", { capabilities });
  const session = `/session/${sessionId}`;
  const run = (script, ...args) => ask("POST", `${session}/execute/sync`, { script, args });
  return {
    run,
    go: (url) => ask("POST", `${session}/url`, { url }),
    close: () => ask("DELETE", session),
    cdp: (cmd, params) => ask("POST", `${session}/goog/cdp/execute`, { cmd, params }),

    async shows(...texts) {
      let page;
      for (const until = Date.now() + 30_000; Date.now() < until; ) {
        page = await run("return document.body.innerText");
        if (texts.every((text) => page.includes(text))) return;
        await new Promise((later) => setTimeout(later, 100));
      }
      throw new Error(`it does not show ${texts}, but:\n${page}`);
    },

    async click(selector, text) {
      const script = `
        const found = [...document.querySelectorAll(arguments[0])].find((element) => element.innerText.includes(arguments[1]));
        if (!found) return false;
        found.click();
        return true;`;
      if (!(await run(script, selector, text))) throw new Error(`there is no ${selector} that says ${text}`);
    },

    async shot(name) {
      if (!shots) return;
      for (const value of ["light", "dark"]) {
        const media = { cmd: "Emulation.setEmulatedMedia", params: { features: [{ name: "prefers-color-scheme", value }] } };
        await ask("POST", `${session}/goog/cdp/execute`, media);
        writeFileSync(`${shots}/${name}-${value}.png`, Buffer.from(await ask("GET", `${session}/screenshot`), "base64"));
      }
    },

    // A page that breaks its own content policy reports it here.
    async complaints() {
      const log = await ask("POST", `${session}/se/log`, { type: "browser" });
      return log.filter(({ message }) => !message.includes("favicon"));
    },
  };
}

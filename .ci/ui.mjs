// What a person does with the page of `listen --ui`: watch deliveries come, read one, resend it, copy it.
import { readFileSync } from "node:fs";
import { open } from "./browser.mjs";

const [driver, url, receiver, task, shots] = process.argv.slice(2);
const browser = await open(driver, shots);
try {
  await browser.cdp("Browser.grantPermissions", { permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"] });
  await browser.go(url);
  await browser.shows("5 received", "person.created", "company.created", "rejected");
  if (await browser.run("return location.href.includes('token')")) throw new Error("the token stays in the address");
  await browser.shot("list");
  await browser.click("tbody tr", "person.updated");
  await browser.shows("Changes since the delivery of", "London", "Nantes", "x-twenty-webhook-signature", "<script>alert(1)</script>");
  await browser.shot("delivery");
  const clicked = Date.now();
  await browser.click("button", "Copy as curl");
  await browser.shows("Copied");
  const copied = await browser.run("return navigator.clipboard.readText()");
  if (!copied.startsWith("curl -i 'http://127.0.0.1:")) throw new Error(`copied: ${copied}`);
  if (!(Number(/X-Twenty-Webhook-Timestamp: (\d+)/.exec(copied)?.[1]) >= clicked)) throw new Error(`signed before the click: ${copied}`);
  await browser.click("tbody tr", "company.created");
  await browser.shows("Diagnosis", "2 h ago");
  await browser.shot("rejected");
  await browser.click("button", "Resend");
  await browser.shows("6 received", "200 OK");
  // Live, without a reload: another delivery comes.
  const { execFileSync } = await import("node:child_process");
  execFileSync("target/debug/twenty-webhook", ["send", receiver, "--file", "-"], { input: readFileSync(task) });
  await browser.shows("7 received", "task.created");
  const complaints = await browser.complaints();
  if (complaints.length > 0) throw new Error(`the browser complains: ${JSON.stringify(complaints)}`);
} finally {
  await browser.close();
}

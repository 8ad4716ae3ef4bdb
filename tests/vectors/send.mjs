// Signs and sends a body as Twenty does: Node's crypto and an HTTP client. Usage: node send.mjs URL SECRET [BODY.json]
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

const [url, secret, file = new URL("02-person-updated-fields.json", import.meta.url)] = process.argv.slice(2);
const body = JSON.stringify(JSON.parse(readFileSync(file, "utf8")));
const timestamp = Date.now().toString();
const response = await fetch(url, {
  method: "POST",
  body,
  headers: {
    "Content-Type": "application/json",
    "X-Twenty-Webhook-Signature": createHmac("sha256", secret).update(`${timestamp}:${body}`).digest("hex"),
    "X-Twenty-Webhook-Timestamp": timestamp,
    "X-Twenty-Webhook-Nonce": randomBytes(16).toString("hex"),
  },
  signal: AbortSignal.timeout(5_000),
});
console.log(`${response.status} from ${url}`);
process.exit(response.ok ? 0 : 1);

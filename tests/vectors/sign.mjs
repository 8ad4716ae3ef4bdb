// Checks signatures.json, by Node and by openssl. Run: node tests/vectors/sign.mjs
// Signs another body, and adds it: node tests/vectors/sign.mjs NN-body.json its.canonical.name
import { createHmac, randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const SECRET = "9f2c4be07d1a58e36cb0f4a97e21d8530b6fae914c7d25f8e3019ab64d7c82f5";
const file = (name) => new URL(name, import.meta.url);
const all = JSON.parse(readFileSync(file("signatures.json")));

const sign = ({ body, secret, timestamp }) => {
  const message = Buffer.concat([Buffer.from(`${timestamp}:`), readFileSync(file(body))]);
  const node = createHmac("sha256", secret).update(message).digest("hex");
  const openssl = execFileSync("openssl", ["dgst", "-sha256", "-hmac", secret], { input: message });
  if (openssl.toString().trim().split(" ").pop() !== node) throw new Error(`openssl disagrees on ${body}`);
  return node;
};

for (const signed of all) {
  if (sign(signed) !== signed.signature) throw new Error(`the signature of ${signed.body} is wrong`);
}
const real = readFileSync(file("real-2.21.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
for (const { body, secret, timestamp, signature, name } of real) {
  const message = `${timestamp}:${body}`;
  const node = createHmac("sha256", secret).update(message).digest("hex");
  const openssl = execFileSync("openssl", ["dgst", "-sha256", "-hmac", secret], { input: message }).toString();
  if (node !== signature || openssl.trim().split(" ").pop() !== node) throw new Error(`the signature of ${name} is wrong`);
}
const [body, event] = process.argv.slice(2);
if (body) {
  const timestamp = String(Number(all.at(-1).timestamp) + 1000);
  const added = { body, event, secret: SECRET, timestamp };
  all.push({ ...added, signature: sign(added), nonce: randomBytes(16).toString("hex") });
  writeFileSync(file("signatures.json"), `${JSON.stringify(all, null, 1)}\n`);
}
console.log(`${all.length} signatures, and ${real.length} of a real server, the same by Node and openssl`);

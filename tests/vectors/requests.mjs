// Writes requests.json: requests that a receiver must accept or refuse. Run: node tests/vectors/requests.mjs
//
// Node computes every signature. For those from `sign`, openssl must compute the same.
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";

const SECRET = "9f2c4be07d1a58e36cb0f4a97e21d8530b6fae914c7d25f8e3019ab64d7c82f5";
const OTHER = "0d0a4b1f6c2e8a97530fbd46e1c8a2795d3e6f10b4a8c7920e5d1f3b6a9c8d70";
const SENT = 1789374097412;
const MINUTES = 60_000;
const LIMIT = 32 * 1024 * 1024;
const NONCE = "07716e0b33843aba5926026ae2848628";
const BODY = '{"eventName":"person.created","record":{"id":"p1","name":{"firstName":"Zoë"}}}';
const PRETTY = '{\n  "eventName": "person.created",\n  "record": { "id": "p1", "score": 1.0 }\n}';

const hmac = (key, message) => createHmac("sha256", key).update(message).digest("hex");
const sign = (text, body, secret = SECRET) => {
  const node = hmac(secret, `${text}:${body}`);
  const args = ["dgst", "-sha256", "-hmac", secret];
  const openssl = execFileSync("openssl", args, { input: `${text}:${body}` }).toString().trim().split(" ").pop();
  if (node !== openssl) throw new Error(`openssl disagrees on ${text}`);
  return node;
};
const pad = (length) => {
  const [before, after] = ['{"eventName":"person.created","pad":"', '"}'];
  return before + "a".repeat(length - before.length - after.length) + after;
};

const requests = [];
// `change` overrides a part of a good request; null removes a header, an array repeats it.
const add = (name, expect, change = {}) => {
  const body = change.body ?? BODY;
  const timestamp = "timestamp" in change ? change.timestamp : String(SENT);
  const signature = "signature" in change ? change.signature : sign(timestamp ?? SENT, change.signed ?? body);
  const nonce = "nonce" in change ? change.nonce : NONCE;
  const headers = Object.entries({
    "X-Twenty-Webhook-Signature": signature,
    "X-Twenty-Webhook-Timestamp": timestamp,
    "X-Twenty-Webhook-Nonce": nonce,
  }).flatMap(([header, value]) => (value === null ? [] : [value].flat().map((one) => [header, one])));
  const extra = change.contentLength ? [["Content-Length", String(change.contentLength)]] : [];
  const text = change.padTo ? { pad_to: change.padTo } : { text: body };
  requests.push({ name, now: change.now ?? SENT + 40, headers: [...headers, ...extra], body: text, expect });
};
const accepted = "person.created";
const refused = (status, code, says) => ({ status, code, says });
const SIGNATURE = "x-twenty-webhook-signature";
const TIMESTAMP = "x-twenty-webhook-timestamp";
const unsigned = refused(401, "unsigned", "does this webhook have a secret");
const missing = (header) => refused(401, "missing_header", `the header ${header} is missing`);
const repeated = (header) => refused(401, "repeated_header", `the header ${header} is repeated`);
const badSignature = refused(401, "malformed_signature");
const badTimestamp = refused(401, "malformed_timestamp");
const stale = refused(401, "stale_timestamp");
const future = refused(401, "future_timestamp");
const mismatch = refused(401, "signature_mismatch");
const tooLarge = refused(413, "body_too_large");
const notAnEvent = refused(422, "not_an_event");
const good = sign(SENT, BODY);

add("good", accepted);

// Missing and repeated headers
add("no headers", unsigned, { signature: null, timestamp: null, nonce: null });
add("only a nonce", unsigned, { signature: null, timestamp: null });
add("signature missing", missing(SIGNATURE), { signature: null });
add("timestamp missing", missing(TIMESTAMP), { timestamp: null });
add("nonce missing", accepted, { nonce: null });
add("signature repeated", repeated(SIGNATURE), { signature: [good, good] });
add("timestamp repeated", repeated(TIMESTAMP), { timestamp: [String(SENT), String(SENT)], signature: good });
add("nonce repeated", repeated("x-twenty-webhook-nonce"), { nonce: [NONCE, NONCE] });
add("signature repeated, the second one wrong", repeated(SIGNATURE), { signature: [good, "0".repeat(64)] });
add("signature empty", badSignature, { signature: "" });
add("timestamp empty", badTimestamp, { timestamp: "" });
add("nonce empty", accepted, { nonce: "" });
add("nonce of any text", accepted, { nonce: "not hex, and a good deal longer than thirty-two characters" });

// Signatures
add("signature one digit short", badSignature, { signature: good.slice(1) });
add("signature one digit long", badSignature, { signature: good + "0" });
add("signature half", badSignature, { signature: good.slice(32) });
add("signature not hex", badSignature, { signature: "g" + good.slice(1) });
add("signature not ASCII", badSignature, { signature: "é" + good.slice(2) });
add("signature in upper case", accepted, { signature: good.toUpperCase() });
add("signature with a prefix", refused(401, "malformed_signature", "got 71 bytes"), { signature: "sha256=" + good });
add("signature in base64", badSignature, { signature: Buffer.from(good, "hex").toString("base64") });
add("signature list, cut off", badSignature, { signature: "v1," });
add("two signatures in one header", badSignature, { signature: `${good},${good}` });
add("signature of zeros", mismatch, { signature: "0".repeat(64) });
add("signature off by one digit", mismatch, { signature: good.slice(0, 63) + (good[63] === "0" ? "1" : "0") });
add("signature of another secret", mismatch, { signature: sign(SENT, BODY, OTHER) });
add("signature over the body alone", mismatch, { signature: hmac(SECRET, BODY) });
add("signature with a dot for the colon", mismatch, { signature: hmac(SECRET, `${SENT}.${BODY}`) });
add("signature with nothing for the colon", mismatch, { signature: hmac(SECRET, `${SENT}${BODY}`) });
add("signature over the re-serialised body", mismatch, { body: PRETTY, signed: JSON.stringify(JSON.parse(PRETTY)) });
add("pretty-printed body, signed as it is", accepted, { body: PRETTY });
add("signature over the doubly stringified body", mismatch, { signed: JSON.stringify(BODY) });
add("signature with the secret hex-decoded", mismatch, { signature: hmac(Buffer.from(SECRET, "hex"), `${SENT}:${BODY}`) });
add("signature over another timestamp", mismatch, { signature: sign(SENT + 1, BODY) });
add("signature with SHA-1's length", badSignature, { signature: createHmac("sha1", SECRET).update(`${SENT}:${BODY}`).digest("hex") });

// Timestamps
const seconds = String(Math.floor(SENT / 1000));
add("timestamp in seconds", refused(401, "stale_timestamp", "is it in seconds?"), { timestamp: seconds });
add("timestamp zero", stale, { timestamp: "0" });
add("timestamp negative", badTimestamp, { timestamp: "-1" });
add("timestamp i64 minimum", badTimestamp, { timestamp: "-9223372036854775808" });
add("timestamp i64 maximum", future, { timestamp: "9223372036854775807" });
add("timestamp u64 maximum", future, { timestamp: "18446744073709551615" });
add("timestamp u64 maximum + 1", badTimestamp, { timestamp: "18446744073709551616" });
add("timestamp of 40 digits", badTimestamp, { timestamp: "1".repeat(40) });
add("timestamp of 40 zeros and a time", badTimestamp, { timestamp: "0".repeat(40) + SENT });
add("timestamp 1e3", badTimestamp, { timestamp: "1e3" });
add("timestamp with a plus", badTimestamp, { timestamp: `+${SENT}` });
add("timestamp with a fraction", badTimestamp, { timestamp: `${SENT}.0` });
add("timestamp in hex", badTimestamp, { timestamp: "0x1a09f7b8444" });
add("timestamp with a space before it", badTimestamp, { timestamp: ` ${SENT}` });
add("timestamp with a space after it", badTimestamp, { timestamp: `${SENT} ` });
add("timestamp with a space within", badTimestamp, { timestamp: "1789374 097412" });
add("timestamp as a date", badTimestamp, { timestamp: "2026-09-14T08:21:37.412Z" });
add("timestamp in digits of another script", badTimestamp, { timestamp: "１７８９３７４０９７４１２" });
add("timestamp with leading zeros, signed so", accepted, { timestamp: `00${SENT}` });
add("timestamp with leading zeros, signed without", mismatch, { timestamp: `00${SENT}`, signature: good });
add("as old as is tolerated", accepted, { now: SENT + 5 * MINUTES });
add("one millisecond too old", refused(401, "stale_timestamp", "sent 300.001s ago"), { now: SENT + 5 * MINUTES + 1 });
add("one millisecond younger than that", accepted, { now: SENT + 5 * MINUTES - 1 });
add("as far ahead as is tolerated", accepted, { now: SENT - 5 * MINUTES });
add("one millisecond too far ahead", refused(401, "future_timestamp", "300.001s ahead"), { now: SENT - 5 * MINUTES - 1 });
add("one millisecond less than that", accepted, { now: SENT - 5 * MINUTES + 1 });
add("a clock that shows 1970", future, { now: 0 });

// Bodies
add("body changed by one byte", mismatch, { signature: good, body: BODY.replace("p1", "p2") });
add("body without its last byte", mismatch, { signature: good, body: BODY.slice(0, -1) });
add("body with a line end after it", mismatch, { signature: good, body: BODY + "\n" });
add("body empty", mismatch, { signature: good, body: "" });
add("body at the limit", accepted, { body: pad(LIMIT), padTo: LIMIT });
add("body one byte over the limit", tooLarge, { body: pad(LIMIT + 1), padTo: LIMIT + 1 });
add("body announced over the limit", tooLarge, { contentLength: LIMIT + 1 });
add("body announced as 4 PB", tooLarge, { contentLength: "4000000000000000" });
add("bad signature and a body over the limit", badSignature, { signature: "x", padTo: LIMIT + 1 });

// Signed by Twenty, but not an event
add("signed, empty", refused(422, "not_an_event", "the body is empty"), { body: "" });
add("signed, white space", notAnEvent, { body: " \n" });
add("signed, not JSON", notAnEvent, { body: "person.created" });
add("signed, JSON cut off", notAnEvent, { body: BODY.slice(0, -1) });
add("signed, JSON with more after it", notAnEvent, { body: BODY + "{}" });
add("signed, an array", refused(422, "not_an_event", "got an array"), { body: `[${BODY}]` });
add("signed, a string", notAnEvent, { body: JSON.stringify(BODY) });
add("signed, a number", notAnEvent, { body: "42" });
add("signed, null", notAnEvent, { body: "null" });
add("signed, without an event name", refused(422, "not_an_event", "an object of 1 members"), { body: '{"record":{"id":"p1"}}' });
add("signed, the event name null", notAnEvent, { body: '{"eventName":null,"record":{"id":"p1"}}' });
add("signed, the event name a number", notAnEvent, { body: '{"eventName":7,"record":{"id":"p1"}}' });
add("signed, the event name blank", notAnEvent, { body: '{"eventName":" ","record":{"id":"p1"}}' });

const lines = `{"secret":"${SECRET}","requests":[\n${requests.map((one) => JSON.stringify(one)).join(",\n")}\n]}\n`;
writeFileSync(new URL("requests.json", import.meta.url), lines);
console.log(`${requests.length} requests`);

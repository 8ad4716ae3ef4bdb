// Writes mistakes.json: requests with common mistakes, and what a diagnosis must find in each. Run:
// node tests/vectors/mistakes.mjs
//
// Node computes every signature, over the mistaken message with the mistaken key.
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const SECRET = "9f2c4be07d1a58e36cb0f4a97e21d8530b6fae914c7d25f8e3019ab64d7c82f5";
const OTHER = "0d0a4b1f6c2e8a97530fbd46e1c8a2795d3e6f10b4a8c7920e5d1f3b6a9c8d70";
const SENT = 1789374097412;
const NONCE = "07716e0b33843aba5926026ae2848628";
const EVENT = {
  targetUrl: "https://hooks.example.test/twenty/acme",
  eventName: "person.created",
  objectMetadata: { id: "3f0b6a11", nameSingular: "person" },
  eventDate: "2026-09-14T08:21:37.305Z",
  record: { id: "p1", name: { firstName: "Zoë", lastName: "O’Hara 🚀" }, emails: [], tags: {}, position: -17.5 },
};
const BODY = JSON.stringify(EVENT);
const PRETTY = JSON.stringify(EVENT, null, 2);

const hmac = (key, message, encoding = "hex") => createHmac("sha256", key).update(message).digest(encoding);
const good = hmac(SECRET, `${SENT}:${BODY}`);
const unicode = (text) => text.replace(/[\u007f-\uffff]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));
// As Python's json.dumps writes it: spaces after commas and colons, outside of strings.
const spaced = (value) =>
  Array.isArray(value)
    ? `[${value.map(spaced).join(", ")}]`
    : value && typeof value === "object"
      ? `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${spaced(one)}`).join(", ")}}`
      : JSON.stringify(value);
const sorted = (value) =>
  value && typeof value === "object" && !Array.isArray(value)
    ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
    : value;

const mistakes = [];
// `change`: secrets (as configured), key and message (as signed), timestamp, signature (a text, or a function of the message's hex),
// headers (all of them), body, latin1 (each character of the body is a byte), now.
const add = (name, findings, change = {}) => {
  const body = change.body ?? BODY;
  const timestamp = String(change.timestamp ?? SENT);
  const signed = hmac(change.key ?? SECRET, change.message ?? `${timestamp}:${change.signed ?? body}`);
  const headers = change.headers ?? [
    ["X-Twenty-Webhook-Signature", change.signature ?? signed],
    ["X-Twenty-Webhook-Timestamp", timestamp],
    ["X-Twenty-Webhook-Nonce", NONCE],
  ];
  const latin1 = change.latin1 ? { latin1: true } : {};
  mistakes.push({ name, secrets: change.secrets ?? [SECRET], now: change.now ?? SENT + 40, headers, body, ...latin1, findings });
};

// Nothing is wrong
add("good", []);
add("good, with line breaks", [], { body: PRETTY });
add("signed with the second of two secrets", ["other_secret"], { secrets: [OTHER, SECRET] });
add("signature upper-case", ["signature_upper_case"], { signature: good.toUpperCase() });

// Headers
const [signature, timestamp] = [["X-Twenty-Webhook-Signature", good], ["X-Twenty-Webhook-Timestamp", String(SENT)]];
add("the webhook has no secret", ["unsigned"], { headers: [["Content-Type", "application/json"]] });
add("signature missing", ["header_missing"], { headers: [timestamp] });
add("timestamp missing", ["header_missing"], { headers: [signature] });
add("timestamp missing, and not signed", ["header_missing", "signed_without_timestamp"], {
  headers: [["X-Twenty-Webhook-Signature", hmac(SECRET, BODY)]],
});
add("signature missing, white space in the body", ["header_missing"], { headers: [timestamp], body: PRETTY });
add("timestamp changed on the way", ["unexplained"], { message: `${SENT + 1}:${BODY}` });
add("signature twice", ["header_repeated"], { headers: [signature, signature, timestamp] });
add("headers with other names", ["unsigned", "header_misnamed"], {
  headers: [["X-Twenty-Signature", good], ["X-Twenty-Timestamp", String(SENT)]],
});
add("headers with underscores", ["unsigned", "header_misnamed"], {
  headers: [["X_Twenty_Webhook_Signature", good], ["X_Twenty_Webhook_Timestamp", String(SENT)]],
});

// Timestamps
const seconds = Math.floor(SENT / 1000);
add("timestamp in seconds", ["timestamp_in_seconds"], { timestamp: seconds });
add("timestamp in seconds, with a fraction", ["timestamp_in_seconds"], { timestamp: SENT / 1000 });
add("timestamp in microseconds", ["timestamp_in_microseconds"], { timestamp: SENT * 1000 });
add("timestamp in nanoseconds", ["timestamp_in_nanoseconds"], { timestamp: `${SENT}000000` });
add("timestamp is a date", ["timestamp_is_a_date"], { timestamp: new Date(SENT).toISOString() });
add("timestamp is not a number", ["timestamp_malformed"], { timestamp: "now" });
add("timestamp of forty digits", ["timestamp_malformed"], { timestamp: "1".repeat(40) });
add("timestamp in seconds, milliseconds signed", ["timestamp_in_seconds", "signed_milliseconds"], {
  timestamp: seconds,
  now: seconds * 1000,
  message: `${seconds}000:${BODY}`,
});
add("seconds signed, milliseconds sent", ["signed_seconds"], { message: `${seconds}:${BODY}` });
add("clock behind by 7 minutes", ["future_timestamp"], { now: SENT - 7 * 60_000 });
add("clock ahead by 2 hours", ["stale_timestamp"], { now: SENT + 2 * 3600_000 });
add("stale, and signed with another secret", ["stale_timestamp", "unexplained"], { now: SENT + 3600_000, key: OTHER });

// Messages
add("signed without timestamp", ["signed_without_timestamp"], { message: BODY });
add("a dot for the colon", ["signed_with_other_separator"], { message: `${SENT}.${BODY}` });
add("nothing for the colon", ["signed_with_other_separator"], { message: `${SENT}${BODY}` });

// Bodies
add("re-serialised with line breaks after signing", ["body_reserialized"], { signed: BODY, body: PRETTY });
add("signed with line breaks, sent without", ["body_reserialized"], { signed: PRETTY, body: BODY });
add("signed with 4 spaces, sent without", ["body_reserialized"], { signed: JSON.stringify(EVENT, null, 4), body: BODY });
add("signed with tabs, sent without", ["body_reserialized"], { signed: JSON.stringify(EVENT, null, "\t"), body: BODY });
add("re-serialised by Python", ["body_reserialized"], { signed: BODY, body: unicode(spaced(EVENT)) });
add("signed as Python writes, sent as JavaScript does", ["body_reserialized"], { signed: unicode(spaced(EVENT)), body: BODY });
add("signed with spaces, sent without", ["body_reserialized"], { signed: spaced(EVENT), body: BODY });
add("signed with escapes, sent without", ["body_reserialized"], { signed: unicode(BODY), body: BODY });
add("signed as PHP writes, sent as JavaScript does", ["body_reserialized"], {
  signed: unicode(BODY).replaceAll("/", "\\/"),
  body: BODY,
});
add("signed in alphabetical order", ["body_reserialized"], { signed: JSON.stringify(sorted(EVENT)), body: BODY });
add("re-serialised in alphabetical order", ["body_sorted"], { signed: BODY, body: JSON.stringify(sorted(EVENT)) });
add("numbers rewritten", ["body_reserialized"], {
  signed: '{"eventName":"person.created","record":{"id":"p1","score":1}}',
  body: '{"eventName":"person.created","record":{"id":"p1","score":1.0}}',
});
const numbered = (number) => `{"eventName":"person.created","record":{"id":"p1","score":${number}}}`;
for (const [language, number] of [["Rust", "1e21"], ["Java", "1.0E21"], ["PHP", "1.0e+21"]]) {
  add(`a large number written by ${language}`, ["body_reserialized"], { signed: numbered("1e+21"), body: numbered(number) });
}
add("a small number written by Python", ["body_reserialized"], { signed: numbered("1.5e-7"), body: numbered("1.5e-07") });
add("numbers rewritten, and changed", ["body_numbers"], { signed: numbered("1e+21"), body: numbered("2.0E21") });
add("as JavaScript writes numbers, changed", ["unexplained"], { signed: numbered("1e+21"), body: numbered("2e+21") });
add("escapes, changed", ["body_escaped"], { signed: BODY, body: unicode(BODY.replace("Zoë", "Zoé")) });
add("a slash escaped, changed", ["body_escaped"], { signed: BODY, body: BODY.replace("Zoë", "Zo\\/") });
add("escapes as JavaScript writes them, changed", ["unexplained"], { signed: BODY, body: BODY.replace("Zoë", "\\n\\u0001\\ud83d\\\"") });
add("escapes and white space, changed", ["body_spaced", "body_escaped"], { signed: BODY, body: unicode(spaced(EVENT)).replace("Zo", "To") });
add("white space within a text only, changed", ["unexplained"], { signed: BODY, body: BODY.replace("Zoë", "Z : { o , }  e") });
add("alphabetical order and white space", ["body_spaced", "body_sorted"], { signed: BODY, body: JSON.stringify(sorted(EVENT), null, 1) });
add("alphabetical order and numbers rewritten", ["body_numbers", "body_sorted"], {
  signed: BODY,
  body: JSON.stringify(sorted(EVENT)).replace("-17.5", "-17.50"),
});
add("cut off", ["body_truncated"], { signed: BODY, body: BODY.slice(0, 120) });
add("cut off within an escape", ["body_truncated"], { signed: BODY, body: '{"eventName":"person.created","a":"\\u00' });
add("cut off, with a byte order mark", ["body_truncated"], { signed: BODY, body: `\ufeff${BODY.slice(0, -1)}` });
add("cut off, and the secret is another", ["body_truncated"], { key: OTHER, signed: BODY, body: BODY.slice(0, -1) });
add("decoded as a form", ["body_not_json"], { signed: BODY, body: `payload=${encodeURIComponent(BODY)}` });
add("something put behind it", ["body_not_json"], { signed: BODY, body: `${BODY}</body>` });
add("an array, with another secret", ["unexplained"], { key: OTHER, body: "[1]" });
// A body of which each character is a byte.
const LATIN = BODY.replace("O’Hara 🚀", "Núñez");
add("converted to Latin-1", ["body_transcoded"], { signed: LATIN, body: LATIN, latin1: true });
add("converted to Latin-1, which has not all of it", ["body_not_utf8"], {
  signed: BODY,
  body: BODY.replace("’", "?").replace("🚀", "?"),
  latin1: true,
});
const bytes = (text) => Buffer.from(text, "utf8").toString("latin1");
add("cut off within a character", ["body_truncated"], {
  signed: BODY,
  body: bytes(BODY.slice(0, BODY.indexOf("Zo") + 3)).slice(0, -1),
  latin1: true,
});
add("compressed", ["body_not_utf8"], { signed: BODY, body: gzipSync(BODY).toString("latin1"), latin1: true });
add("white space put before it", ["body_line_end_added"], { signed: BODY, body: ` \n${BODY}` });
add("line end added", ["body_line_end_added"], { signed: PRETTY, body: `${PRETTY}\n` });
add("line end added to JSON without white space", ["body_line_end_added"], { signed: BODY, body: `${BODY}\n` });
add("line end lost", ["body_line_end_lost"], { signed: `${PRETTY}\n`, body: PRETTY });
add("line end of Windows lost", ["body_line_end_lost"], { signed: `${BODY}\r\n`, body: BODY });
add("line ends changed", ["body_line_ends_changed"], { signed: PRETTY.replaceAll("\n", "\r\n"), body: PRETTY });
add("line ends changed the other way", ["body_line_ends_changed"], { signed: PRETTY, body: PRETTY.replaceAll("\n", "\r\n") });
add("byte order mark", ["body_byte_order_mark"], { signed: BODY, body: `\ufeff${BODY}` });
add("stringified twice", ["body_stringified_twice"], { signed: JSON.stringify(BODY), body: BODY });
add("stringified twice, sent with line breaks", ["body_stringified_twice"], { signed: JSON.stringify(BODY), body: PRETTY });
add("arrived stringified", ["body_arrived_stringified"], { signed: BODY, body: JSON.stringify(BODY) });
add("stringified and signed so", ["not_an_event"], { body: JSON.stringify(BODY) });
add("signed without body", ["body_not_signed"], { signed: "", body: BODY });
add("body lost on the way", ["body_empty"], { signed: BODY, body: "" });
add("body changed", ["unexplained"], { signed: BODY, body: BODY.replace("Zoë", "Zoe") });
add("body changed and spaced", ["body_spaced"], { signed: BODY, body: PRETTY.replace("Zoë", "Zoe") });

// A mistake of Twenty: axios drops these names from the body after it was signed.
const GENUINE = { ...EVENT, workspaceId: "w1", webhookId: "h1" };
const withMember = (name) => JSON.stringify(GENUINE).replace('"tags":{}', `"tags":{},"${name}":{"a":1}`);
for (const name of ["__proto__", "constructor", "prototype"]) {
  add(`a member ${name}, left out by Twenty`, ["unexplained", "possible_twenty_bug"], {
    signed: withMember(name),
    body: JSON.stringify(GENUINE),
  });
}
add("Twenty's own, with another secret", ["unexplained", "possible_twenty_bug"], { key: OTHER, body: JSON.stringify(GENUINE) });
add("Twenty's own, late, with another secret", ["stale_timestamp", "unexplained", "possible_twenty_bug"], {
  key: OTHER,
  body: JSON.stringify(GENUINE),
  now: SENT + 3600_000,
});
add("Twenty's own, rewritten and changed", ["body_spaced"], { signed: withMember("prototype"), body: JSON.stringify(GENUINE, null, 2) });
add("Twenty's own, cut off signature", ["signature_length"], { signature: good.slice(0, 63), body: JSON.stringify(GENUINE, null, 2) });

// Secrets
add("another webhook's secret", ["unexplained"], { key: OTHER });
add("configured with a blank", ["secret_white_space"], { secrets: [` ${SECRET} `] });
add("configured with quotes", ["secret_quotes"], { secrets: [`"${SECRET}"`] });
add("configured with single quotes and a line end", ["secret_quotes"], { secrets: [`'${SECRET}'\n`] });
add("configured as an assignment", ["secret_assignment"], { secrets: [`TWENTY_WEBHOOK_SECRET="${SECRET}"`] });
add("hex-decoded by the sender", ["secret_hex_decoded"], { key: Buffer.from(SECRET, "hex") });
add("base64-decoded by the sender", ["secret_base64_decoded"], { key: Buffer.from(SECRET, "base64") });
add("in upper case here", ["secret_letter_case"], { secrets: [SECRET.toUpperCase()] });
add("the sender's with a line end", ["secret_white_space_at_sender"], { key: `${SECRET}\n` });
add("the sender's with quotes", ["secret_quotes_at_sender"], { key: `"${SECRET}"` });
add("the sender's is empty", ["secret_empty"], { key: "" });
add("quotes around the second of two", ["other_secret", "secret_quotes"], { secrets: [OTHER, `"${SECRET}"`] });

// Signatures
const base64 = hmac(SECRET, `${SENT}:${BODY}`, "base64");
add("signature in base64", ["signature_base64"], { signature: base64 });
add("signature in base64 for URLs", ["signature_base64"], { signature: hmac(SECRET, `${SENT}:${BODY}`, "base64url") });
add("signature as GitHub's", ["signature_prefixed"], { signature: `sha256=${good}` });
add("signature as Stripe's", ["signature_prefixed"], { signature: `t=${SENT},v1=${good}` });
add("signature as Svix's", ["signature_prefixed"], { signature: `v1,${base64}` });
add("signature with a scheme", ["signature_prefixed"], { signature: `HMAC-SHA256 ${good}` });
add("signature in quotes", ["signature_quoted"], { signature: `"${good}"` });
add("signatures joined", ["signature_several"], { signature: `${good}, ${good}` });
add("signature cut off", ["signature_length"], { signature: good.slice(0, 32) });
add("signature of SHA-1", ["signature_length"], { signature: createHmac("sha1", SECRET).update(`${SENT}:${BODY}`).digest("hex") });
add("signature not hex", ["signature_not_hex"], { signature: good.replace(/^./, "g") });
add("signature empty", ["signature_length"], { signature: "" });
add("signature prefixed, of something else", ["signature_prefixed", "unexplained"], { signature: `sha256=${"0".repeat(64)}` });

// Several at once
add("GitHub's way", ["signature_prefixed", "signed_without_timestamp"], { signature: `sha256=${hmac(SECRET, BODY)}` });
add("seconds, a dot, quotes", ["timestamp_in_seconds", "secret_quotes", "signed_with_other_separator"], {
  secrets: [`"${SECRET}"`],
  timestamp: seconds,
  message: `${seconds}.${BODY}`,
});

writeFileSync(new URL("mistakes.json", import.meta.url), JSON.stringify(mistakes, null, 1) + "\n");
console.log(`${mistakes.length} mistakes`);

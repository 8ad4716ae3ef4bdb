// Shows deliveries as they come. All text is set as text, never as HTML: a customer wrote it.
const list = document.getElementById("list");
const detail = document.getElementById("detail");
const state = document.getElementById("state");
const rows = new Map();

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = String(text);
  if (className) made.className = className;
  return made;
}

function add(delivery) {
  if (rows.has(delivery.id)) return;
  const row = element("tr");
  const cells = [
    [delivery.time.slice(11, 23), "number"], [delivery.verdict, `state ${delivery.verdict}`],
    [delivery.event ?? `${delivery.method} ${delivery.path}`, "name"], [delivery.record_id ?? "-", "record"],
    [`${delivery.bytes} B`, "number"],
  ];
  row.append(...cells.map(([text, className]) => element("td", text, className)));
  row.addEventListener("click", () => choose(delivery.id));
  list.prepend(row);
  rows.set(delivery.id, row);
  state.textContent = `${rows.size} received`;
}

async function choose(id) {
  const answer = await fetch(`delivery/${id}`);
  for (const [other, row] of rows) row.classList.toggle("chosen", other === id);
  if (!answer.ok) return detail.replaceChildren(element("p", "It is no longer in memory: the newest are kept.", "quiet"));
  show(id, await answer.json());
}

function table(head, lines) {
  const made = element("table");
  const top = element("tr");
  top.append(...head.map((text) => element("th", text)));
  made.append(top, ...lines.map((cells) => {
    const line = element("tr");
    line.append(...cells.map((cell) => (cell instanceof Node ? cell : element("td", cell))));
    return line;
  }));
  const frame = element("div", undefined, "table");
  frame.append(made);
  return frame;
}

function cell(name, text) {
  const made = element("td");
  if (text !== null) made.append(element(name, text));
  return made;
}

function button(text, act) {
  const made = element("button", text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    const said = await act().catch((error) => String(error));
    made.textContent = said ?? text;
    setTimeout(() => { made.textContent = text; made.disabled = false; }, 2000);
  });
  return made;
}

// The command, signed now.
async function curl(id) {
  const answer = await fetch(`delivery/${id}/curl`);
  if (!answer.ok) throw new Error("It is no longer in memory");
  return new Blob([await answer.text()], { type: "text/plain" });
}

function show(id, { delivery, headers, body, changes, compared_with: comparedWith, is_text: isText }) {
  const parts = [element("h2", delivery.event ?? `${delivery.method} ${delivery.path}`)];
  const facts = element("dl");
  const rowsOfFacts = [
    ["verdict", `${delivery.status} ${delivery.verdict}`], ["reason", delivery.findings.length ? undefined : delivery.reason], ["record", delivery.record_id],
    ["received", delivery.time], ["delivery id", delivery.delivery_id], ["path", delivery.path],
    ["duration", `${delivery.duration_ms} ms`],
    ["forwarded", delivery.forwarded && `${delivery.forwarded.status ?? delivery.forwarded.error} in ${delivery.forwarded.duration_ms} ms`],
  ];
  for (const [name, value] of rowsOfFacts) if (value) facts.append(element("dt", name), element("dd", value));
  parts.push(facts);

  const actions = element("div", undefined, "actions");
  actions.append(button("Resend", async () => {
    const answer = await fetch(`delivery/${id}/resend`, { method: "POST" });
    return await answer.text();
  }));
  if (isText) actions.append(button("Copy as curl", async () => {
    // A promise, because Safari refuses to write after a wait.
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": curl(id) })]);
    return "Copied";
  }));
  const download = element("a", "Download", "button");
  download.href = `delivery/${id}/download`;
  actions.append(download);
  parts.push(actions);

  if (delivery.findings.length) {
    parts.push(element("h2", "Diagnosis"));
    parts.push(table(["Problem", "Fix"], delivery.findings.map(({ problem, fix }) => [problem, fix])));
  }
  if (changes) {
    parts.push(element("h2", `Changes since the delivery of ${comparedWith}`));
    parts.push(changes.length
      ? table(["Field", "Before", "After"], changes.map(({ field, before, after }) => [field, cell("del", before), cell("ins", after)]))
      : element("p", "None.", "quiet"));
  }
  parts.push(element("h2", "Body"), element("pre", body));
  parts.push(element("h2", "Headers"), table(["Name", "Value"], headers));
  detail.replaceChildren(...parts);
}

const source = new EventSource("events");
source.onopen = () => { state.textContent = `${rows.size} received`; };
source.onerror = () => { state.textContent = "not connected: has listen ended?"; };
source.onmessage = (message) => add(JSON.parse(message.data));

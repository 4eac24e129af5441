"use strict";
// The page asks twice a second what is true and draws it; everything that acts goes through the twins' real webhooks.
const $ = (id) => document.getElementById(id);
let channel = "intercom";
let now = null; // the last answer
let drawn = ""; // what of it is on the page
let newest = ""; // the newest mail
const mine = {}; // "channel person" -> id of the conversation that is written in; "" for a new one
const seen = {}; // "channel person" -> the messages last seen there: an erased conversation is shown as it was
const most = {}; // "person processor" -> the most records seen, so that a bar can shrink
const BUSY = ["pending", "in_progress"];

const key = () => `${channel} ${$("person").value}`;
const element = (tag, text = "", cls = "") => Object.assign(document.createElement(tag), { textContent: text, className: cls });
const words = (name) => name.replaceAll("_", " ");
const plain = (text) => new DOMParser().parseFromString(text.replace(/<\/p>|<br ?\/?>/g, "\n"), "text/html").body.textContent.trim();

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  return answer.json();
}

function linked(text) {
  const holder = element("pre");
  for (const part of text.split(/(https?:\/\/[^\s<>()]+)/)) {
    if (!/^https?:/.test(part)) { holder.append(part); continue; }
    const link = element("a", part);
    link.href = part; link.target = "_blank"; link.rel = "noopener";
    holder.append(link);
  }
  return holder;
}

function current() {
  const here = now.conversations.filter((c) => c.channel === channel);
  return mine[key()] === undefined ? here.at(-1) : here.find((c) => c.id === mine[key()]);
}

function drawMessages() {
  const box = $("messages"), conversation = current();
  if (conversation) seen[key()] = conversation.messages;
  const erased = !conversation && mine[key()] && seen[key()];
  const shown = conversation?.messages ?? (erased ? seen[key()] : []);
  box.className = erased ? "erased" : "";
  box.replaceChildren(...shown.map((m) => element("div", plain(m.text), `bubble ${m.who}`)));
  if (erased) box.append(element("p", "The vendor does not hold this conversation any more. Above is what you had seen of it.", "empty"));
  else if (!shown.length) box.append(element("p", "No conversation yet: write something.", "empty"));
  box.scrollTop = box.scrollHeight;
}

function drawMails() {
  const open = new Set([...document.querySelectorAll("#mails details[open]")].map((d) => d.dataset.id));
  const ids = now.mails.map((mail, i) => `${$("person").value} ${now.mails.length - i} ${mail.subject}`);
  if (ids[0] !== newest) { open.clear(); open.add(ids[0]); newest = ids[0]; }
  const mails = now.mails.map((mail, i) => {
    const box = element("details");
    box.dataset.id = ids[i]; box.open = open.has(ids[i]);
    box.append(element("summary", mail.subject), linked(mail.text));
    return box;
  });
  $("mails").replaceChildren(...(mails.length ? mails : [element("p", "No mail yet.", "empty")]));
}

// An erasure that is done is over only when the processor has been asked again.
const isOver = (request, step) => !BUSY.includes(step.state) && !(request.right === "erasure" && step.state === "completed");

function drawRequests() {
  const list = now.requests.map((r) => {
    const box = element("article"), over = r.steps.filter((s) => isOver(r, s)), people = over.filter((s) => s.state === "with_a_person").length;
    const bar = element("progress"); bar.max = Math.max(r.steps.length, 1); bar.value = over.length;
    bar.setAttribute("aria-label", `${r.reference}: ${over.length} of ${r.steps.length} steps`);
    const told = `${over.length - people} of ${r.steps.length} steps done` + (people ? `, ${people} with a person` : "");
    box.append(element("strong", `${r.reference} ${words(r.right)}`), element("p", `${words(r.status)} · ${r.who} · due ${r.due}`), bar,
      element("p", r.steps.length ? told : "not begun"));
    return box;
  });
  $("requests").replaceChildren(...(list.length ? list : [element("p", "No requests yet.", "empty")]));
}

function stateOf(processor, step) {
  if (!step) return processor.connected ? "connected" : "by hand";
  if (step === "completed") return "erased; to be asked again";
  if (step === "gone" && processor.held) return "gone, residue named";
  return words(step);
}

function drawProcessors() {
  const person = $("person").value;
  const erasure = now.requests.find((r) => r.mine && r.right === "erasure" && r.steps.length);
  const steps = new Map((erasure?.steps ?? []).map((s) => [s.processor, s.state]));
  $("processors").replaceChildren(...now.processors.map((p) => {
    const id = `${person} ${p.name}`, step = steps.get(p.name);
    most[id] = Math.max(most[id] || 0, p.held);
    const item = element("li", "", step === "with_a_person" ? "person" : step && isOver(erasure, { state: step }) ? "gone" : "");
    const label = element("span", p.label, "label"), bar = element("div", "", "bar"), part = element("span");
    part.style.width = `${(100 * p.held) / Math.max(most[id], 1)}%`;
    bar.append(part);
    item.append(label, element("span", String(p.held), "count"), bar, element("span", stateOf(p, step), "state"));
    return item;
  }));
}

async function draw() {
  try {
    const text = await (await fetch(`/demo/now?person=${encodeURIComponent($("person").value)}`)).text();
    if (text + key() + mine[key()] === drawn) return;
    now = JSON.parse(text);
    drawn = text + key() + mine[key()];
    drawMessages(); drawMails(); drawRequests(); drawProcessors();
    $("agents").replaceChildren(...now.agents.slice(0, 12).map((t) => element("li", t)));
  } catch { /* the demo is restarting; the next look will tell */ }
}

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim(), at = key();
  if (!text) return;
  const conversation = mine[at] ?? (now && current()?.id), body = { channel, text, email: $("person").value };
  if (conversation) body.conversation = conversation;
  $("problem").textContent = $("text").value = "";
  try {
    mine[at] = String((await post("/demo/say", body)).conversation ?? conversation);
  } catch (error) {
    $("problem").textContent = `Not delivered: the twin ${error.message}.`;
    $("text").value ||= text;
  }
  draw();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); $("say").requestSubmit(); }
});
$("fresh").addEventListener("click", () => { mine[key()] = ""; draw(); $("text").focus(); });
$("ideas").addEventListener("click", (event) => {
  if (event.target.tagName === "BUTTON") { $("text").value = event.target.textContent; $("text").focus(); }
});
$("channels").addEventListener("click", (event) => {
  const chosen = event.target.closest("button");
  if (!chosen) return;
  channel = chosen.dataset.channel;
  for (const other of $("channels").children) other.setAttribute("aria-pressed", String(other === chosen));
  draw();
});
$("person").addEventListener("change", draw);
$("command").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("answer").textContent = "…";
  try {
    const got = await post("/demo/command", { text: $("command-text").value });
    $("answer").textContent = [got.response?.text, ...(got.answers || [])].filter(Boolean).join("\n") || "(no answer)";
  } catch (error) {
    $("answer").textContent = `Slack's twin ${error.message}.`;
  }
  draw();
});
draw();
setInterval(() => document.hidden || draw(), 500);

"use strict";
// The page asks once a second what is true and draws it; everything that acts goes through the twins' real webhooks.
const $ = (id) => document.getElementById(id);
let channel = "intercom";
const mine = {}; // "channel person" -> id of the conversation that is written in; "" for a new one
const most = {}; // "person processor" -> the most records seen, so that a meter can shrink
let drawn = "";

const key = () => `${channel} ${$("person").value}`;
const element = (tag, text = "", cls = "") => Object.assign(document.createElement(tag), { textContent: text, className: cls });
const post = async (path, body) => {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return answer.json();
};

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

function current(now) {
  const here = now.conversations.filter((c) => c.channel === channel);
  if (mine[key()] === undefined) return here.at(-1);
  return here.find((c) => c.id === mine[key()]);
}

function drawMessages(now) {
  const box = $("messages"), conversation = current(now);
  box.replaceChildren(...(conversation ? conversation.messages.map((m) => element("div", plain(m.text), `bubble ${m.who}`))
    : [element("p", "No conversation yet: write something.", "empty")]));
  box.scrollTop = box.scrollHeight;
}

const plain = (text) => new DOMParser().parseFromString(text.replace(/<\/p>|<br ?\/?>/g, "\n"), "text/html").body.textContent.trim();

function drawMails(now) {
  const open = new Set([...document.querySelectorAll("#mails details[open]")].map((d) => d.dataset.id));
  const mails = now.mails.map((mail, i) => {
    const id = `${now.mails.length - i} ${mail.subject}`, box = element("details");
    box.dataset.id = id; box.open = open.has(id) || (i === 0 && !open.size);
    box.append(element("summary", mail.subject), linked(mail.text));
    return box;
  });
  $("mails").replaceChildren(...(mails.length ? mails : [element("p", "No mail yet.", "empty")]));
}

function drawRequests(now) {
  const list = now.requests.map((r) => {
    const box = element("article"), over = r.steps.filter((s) => !["pending", "in_progress"].includes(s.state)).length;
    const bar = element("progress"); bar.max = Math.max(r.steps.length, 1); bar.value = over;
    bar.setAttribute("aria-label", `${r.reference}: ${over} of ${r.steps.length} steps`);
    box.append(element("strong", `${r.reference} ${r.right.replaceAll("_", " ")}`), element("p", `${r.status.replaceAll("_", " ")} · ${r.who} · due ${r.due}`), bar,
      element("p", r.steps.length ? `${over} of ${r.steps.length} steps` : "not begun"));
    return box;
  });
  $("requests").replaceChildren(...(list.length ? list : [element("p", "No requests yet.", "empty")]));
}

function drawProcessors(now) {
  const person = $("person").value;
  const steps = new Map((now.requests.find((r) => r.right === "erasure" && r.steps.length)?.steps || []).map((s) => [s.processor, s.state]));
  $("processors").replaceChildren(...now.processors.map((p) => {
    const id = `${person} ${p.name}`;
    most[id] = Math.max(most[id] || 0, p.held);
    const state = steps.get(p.name), item = element("li", "", p.held === 0 && most[id] ? "gone" : state === "with_a_person" ? "person" : "");
    const meter = element("meter"); meter.max = Math.max(most[id], 1); meter.value = p.held;
    meter.setAttribute("aria-label", `${p.label}: ${p.held} records`);
    item.append(element("span", p.label), element("span", String(p.held), "count"), meter,
      element("span", (state || (p.connected ? "connected" : "by hand")).replaceAll("_", " "), "state"));
    return item;
  }));
}

async function draw() {
  try {
    const answer = await fetch(`/demo/now?person=${encodeURIComponent($("person").value)}`);
    const text = await answer.text();
    if (text + key() + mine[key()] !== drawn) {
      drawn = text + key() + mine[key()];
      const now = JSON.parse(text);
      drawMessages(now); drawMails(now); drawRequests(now); drawProcessors(now);
      $("agents").replaceChildren(...now.agents.slice(0, 12).map((t) => element("li", t)));
    }
  } catch { /* the demo is restarting; the next look will tell */ }
}

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  const known = mine[key()] === undefined ? JSON.parse(drawn.slice(0, drawn.lastIndexOf("}") + 1) || "{}") : null;
  const conversation = known ? current(known)?.id : mine[key()];
  const at = key(), body = { channel, text, email: $("person").value };
  if (conversation) body.conversation = conversation;
  mine[at] = (await post("/demo/say", body)).conversation ?? mine[at];
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
  const tab = event.target.closest("[role=tab]");
  if (!tab) return;
  channel = tab.dataset.channel;
  for (const other of document.querySelectorAll("[role=tab]")) other.setAttribute("aria-selected", String(other === tab));
  draw();
});
$("person").addEventListener("change", draw);
$("command").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("answer").textContent = "…";
  const got = await post("/demo/command", { text: $("command-text").value });
  $("answer").textContent = [got.response?.text, ...(got.answers || [])].filter(Boolean).join("\n") || "(no answer)";
  draw();
});
draw();
setInterval(draw, 1000);

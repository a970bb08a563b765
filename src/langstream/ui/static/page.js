// The page of one application: a conversation through its gateways, its plan, the state of its nodes.
// Texts from records are only ever set as text content, never as markup.

import { Connection, Doors, isProxied, parametersOf, session, sessionValue } from "/static/gateways.js";
import { markdown } from "/static/markdown.js";
import { drawPlan } from "/static/plan.js";

const $ = (id) => document.getElementById(id);
const facts = await (await fetch("/api/page")).json();
const doors = new Doors(facts);

let gateways = [];
let connections = [];
let streams = new Map();
let generation = 0;

// ---- messages

function add(kind, text) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  const list = $("messages");
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  list.append(item);
  if (follows || kind === "you") list.scrollTop = list.scrollHeight;
  return item;
}

function asText(value) {
  return value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
}

function render(item, text) {
  item.dataset.text = text;
  item.classList.toggle("marked", $("markdown").checked);
  item.replaceChildren($("markdown").checked ? markdown(text) : text);
}

function show(frame) {
  if ("status" in frame) {
    if (frame.status !== "OK") add("problem", `${frame.status}: ${frame.reason ?? ""}`);
    return;
  }
  if ($("raw").checked) {
    add("raw", JSON.stringify(frame, null, 1));
    return;
  }
  const { key, value, headers = {} } = frame.record ?? {};
  const stream = headers["stream-id"];
  if (stream) {
    showChunk(stream, asText(value), headers["stream-last-message"] === "true", "stream-cancelled" in headers);
    return;
  }
  const item = add("answer", "");
  render(item, asText(value));
  if (key !== null && key !== undefined) about(item, `key ${asText(key)}`);
  $("messages").scrollTop = $("messages").scrollHeight;
}

function showChunk(stream, text, last, cancelled) {
  const item = streams.get(stream) ?? add("answer open", "");
  streams.set(stream, item);
  render(item, (item.dataset.text ?? "") + text);
  if (last) {
    item.classList.remove("open");
    streams.delete(stream);
    if (cancelled) about(item, "cancelled: its client left");
  }
  $("messages").scrollTop = $("messages").scrollHeight;
}

function about(item, text) {
  const line = document.createElement("span");
  line.className = "about";
  line.textContent = text;
  item.append(line);
}

// ---- connection

function chosen(id) {
  return gateways[Number($(id).value)] ?? null;
}

function using() {
  const sender = chosen("sender");
  return sender?.type === "chat" || sender?.type === "service" ? [sender] : [sender, chosen("receiver")].filter(Boolean);
}

function showChoice() {
  const sender = chosen("sender");
  const own = sender?.type === "chat" || sender?.type === "service";
  $("receiver-label").hidden = own || !gateways.some((gateway) => gateway.type === "consume");
  $("position-label").hidden = sender?.type === "service" || !using().some((gateway) => gateway.type !== "produce");
  $("login").hidden = !using().some((gateway) => gateway.authentication);
  $("parameters").replaceChildren();
  for (const name of new Set(using().flatMap(parametersOf))) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.size = 16;
    input.value = sessionValue(name);
    input.addEventListener("input", () => { session[name] = input.value; });
    label.append(`${name} `, input);
    $("parameters").append(label);
  }
}

function credentials() {
  return { kind: $("login-kind").value, text: $("credentials").value };
}

function disconnect() {
  generation += 1;
  for (const connection of connections) connection.close();
  connections = [];
  streams = new Map();
  writable(false);
}

function writable(on) {
  $("question").disabled = $("send").disabled = !on;
  $("question").placeholder = on ? "Write a message; Enter sends it" : connections.length ? "Only receiving" : "Not connected";
}

function connect() {
  disconnect();
  const mine = generation;
  const handlers = {
    opened: (gateway, again) => {
      if (mine !== generation) return;
      add("note", `${again ? "Connected again" : "Connected"} to ${gateway.id}.`);
      if (gateway.type !== "consume") ready();
    },
    frame: (frame) => mine === generation && show(frame),
    closed: (gateway, why) => {
      if (mine !== generation) return;
      add("problem", `Not connected to ${gateway.id}: ${why}`);
      if (gateway.type !== "consume") writable(false);
    },
  };
  for (const gateway of using()) {
    if (gateway.type === "service") {
      ready();
      continue;
    }
    const options = gateway.type === "produce" ? {} : { position: $("position").value };
    connections.push(new Connection(doors, gateway, { options, credentials: credentials() }, handlers));
  }
  if (!using().some((gateway) => gateway.type !== "consume")) writable(false);
}

function ready() {
  writable(true);
  if (!$("talk").hidden) $("question").focus();
}

function message() {
  const headers = {};
  for (const part of $("headers").value.split(",")) {
    const at = part.indexOf("=");
    if (at > 0) headers[part.slice(0, at).trim()] = part.slice(at + 1).trim();
  }
  return { key: $("key").value || null, value: $("question").value, headers };
}

async function send() {
  const gateway = chosen("sender");
  const text = $("question").value;
  if (!text.trim() || !gateway) return;
  const sent = message();
  const about_ = [sent.key && `key ${sent.key}`, ...Object.entries(sent.headers).map(([k, v]) => `${k}: ${v}`)].filter(Boolean);
  if (gateway.type !== "service" && !connections.find((each) => each.gateway === gateway)?.ready) return;
  const item = add("you", text);
  if (about_.length) about(item, about_.join(" · "));
  $("question").value = "";
  if (gateway.type !== "service") {
    connections.find((each) => each.gateway === gateway).send(sent);
    return;
  }
  try {
    await doors.call(gateway, sent, credentials(), show);
  } catch (error) {
    add("problem", error.message);
  }
}

// ---- nodes and plan

let before = { time: 0, counts: {} };

async function refresh() {
  const state = $("state");
  try {
    const response = await fetch(`/api/applications/${doors.path}`);
    const description = await response.json();
    const nodes = description.status.executors;
    const up = description.status.status.status === "DEPLOYED" && nodes.every((node) => node.state === "running");
    state.textContent = up ? "running" : "not all nodes run";
    state.className = `state ${up ? "up" : "down"}`;
    showNodes(nodes);
    showPlan(description, nodes);
    return description;
  } catch {
    state.textContent = "stopped";
    state.className = "state down";
    return null;
  }
}

function showNodes(nodes) {
  const now = performance.now();
  const rows = nodes.map((node) => {
    const past = before.counts[node.id];
    const rate = past === undefined ? 0 : Math.max(0, ((node["records-in"] - past) * 1000) / (now - before.time));
    const cells = [node.id, node.state, node["records-in"], `${rate.toFixed(rate < 10 ? 1 : 0)}/s`, node["records-out"], node.lag ?? "–", node.errors];
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: String(cell) })));
    row.children[1].className = node.state;
    return row;
  });
  before = { time: now, counts: Object.fromEntries(nodes.map((node) => [node.id, node["records-in"]])) };
  $("nodes").replaceChildren(...rows);
  const failures = nodes.filter((node) => node["last-error"] && node.state !== "running");
  $("failure").hidden = failures.length === 0;
  $("failure").textContent = failures.map((node) => `${node.id}: ${node["last-error"]}`).join("\n");
}

let drawnPlan = "";

function showPlan(description, nodes) {
  const { plan, gateways: declared } = description.application;
  const text = JSON.stringify([plan, declared]);
  if (text !== drawnPlan) {
    $("plan").replaceChildren(drawPlan(plan, declared.gateways));
    drawnPlan = text;
  }
  for (const node of nodes) {
    const box = [...$("plan").querySelectorAll("[data-node]")].find((each) => each.dataset.node === node.id);
    box?.querySelector("rect").setAttribute("class", `node ${node.state}`);
  }
}

function showDoors() {
  const items = gateways.map((gateway) => {
    const item = document.createElement("li");
    const name = Object.assign(document.createElement("b"), { textContent: `${gateway.id} (${gateway.type})` });
    const socket = gateway.type !== "service";
    const base = socket ? doors.sockets : doors.requests;
    item.append(name, document.createElement("br"), `${base}/${gateway.type}/${doors.path}/${encodeURIComponent(gateway.id)}`);
    return item;
  });
  $("doors").replaceChildren(...items);
}

// ---- the page itself

function openTab(name) {
  for (const each of ["talk", "plan"]) {
    $(each).hidden = each !== name;
    $(`tab-${each}`).setAttribute("aria-selected", String(each === name));
  }
}

function fill(select, kinds, empty) {
  const fitting = gateways.map((gateway, index) => [gateway, index]).filter(([gateway]) => kinds.includes(gateway.type) && !isProxied(gateway));
  fitting.sort(([one], [other]) => kinds.indexOf(one.type) - kinds.indexOf(other.type));
  for (const [gateway, index] of fitting) $(select).append(new Option(`${gateway.id} (${gateway.type})`, index));
  $(select).append(new Option(empty, "none"));
}

$("ask").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
});
$("question").addEventListener("input", () => { $("question").rows = Math.min(6, $("question").value.split("\n").length); });
$("more-toggle").addEventListener("click", () => {
  $("more").hidden = !$("more").hidden;
  $("more-toggle").setAttribute("aria-expanded", String(!$("more").hidden));
});
$("connection").addEventListener("submit", (event) => { event.preventDefault(); connect(); });
$("sender").addEventListener("change", () => { disconnect(); showChoice(); });
$("receiver").addEventListener("change", () => { disconnect(); showChoice(); });
$("clear").addEventListener("click", () => { $("messages").replaceChildren(); streams = new Map(); });
$("markdown").addEventListener("change", () => {
  for (const item of $("messages").querySelectorAll("li.answer")) if (item.dataset.text) render(item, item.dataset.text);
});
$("tab-talk").addEventListener("click", () => openTab("talk"));
$("tab-plan").addEventListener("click", () => openTab("plan"));

$("title").textContent = facts.application;
document.title = `${facts.application} · LangStream`;
const description = await refresh();
gateways = description?.application.gateways.gateways ?? [];
fill("sender", ["chat", "produce", "service"], "nothing");
fill("receiver", ["consume"], "nothing");
showChoice();
showDoors();
if (location.hash === "#plan") openTab("plan");
if (!using().length) add("note", "No gateway to talk through; the plan and the nodes are shown all the same.");
else if (!using().some((gateway) => gateway.authentication)) connect();
setInterval(refresh, 1500);

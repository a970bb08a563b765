// The page of one application: a conversation through a gateway, and the state of its nodes.
// Texts from records are only ever set as text content, never as markup.

const $ = (id) => document.getElementById(id);
const facts = await (await fetch("/api/page")).json();
const path = `${encodeURIComponent(facts.tenant)}/${encodeURIComponent(facts.application)}`;
const gatewayHost = `${location.hostname}:${facts.gatewayPort}`;
const scheme = location.protocol === "https:" ? "wss" : "ws";

let gateways = [];
let socket = null;
let streams = new Map();

function add(kind, text) {
  const item = document.createElement("li");
  item.className = kind;
  item.textContent = text;
  const list = $("messages");
  list.append(item);
  list.scrollTop = list.scrollHeight;
  return item;
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function rulesOf(gateway) {
  const options = gateway["chat-options"] ?? gateway["consume-options"]?.filters ?? gateway["produce-options"] ?? {};
  return options.headers ?? [];
}

function parametersOf(gateway) {
  const named = rulesOf(gateway).map((rule) => rule["value-from-parameters"] ?? rule.valueFromParameters);
  return [...new Set([...(gateway.parameters ?? []), ...named.filter(Boolean)])];
}

function showGateway() {
  const gateway = gateways[$("gateway").selectedIndex];
  $("parameters").replaceChildren();
  if (!gateway) return;
  for (const name of parametersOf(gateway)) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.dataset.name = name;
    input.size = 12;
    input.value = crypto.randomUUID?.().slice(0, 16) ?? Math.random().toString(36).slice(2, 18);
    label.append(`${name} `, input);
    $("parameters").append(label);
  }
  $("credentials-label").hidden = !gateway.authentication;
}

function connect() {
  socket?.close();
  streams = new Map();
  const gateway = gateways[$("gateway").selectedIndex];
  const query = new URLSearchParams();
  for (const input of $("parameters").querySelectorAll("input")) query.set(`param:${input.dataset.name}`, input.value);
  if (gateway.authentication && $("credentials").value) query.set("credentials", $("credentials").value);
  const kind = gateway.type;
  const opened = new WebSocket(`${scheme}://${gatewayHost}/v1/${kind}/${path}/${encodeURIComponent(gateway.id)}?${query}`);
  socket = opened;
  opened.onopen = () => {
    add("note", `Connected to ${gateway.id}.`);
    const asks = kind !== "consume";
    $("question").disabled = $("send").disabled = !asks;
    if (asks) $("question").focus();
  };
  opened.onmessage = (event) => show(JSON.parse(event.data));
  opened.onclose = (event) => {
    if (socket !== opened) return;
    $("question").disabled = $("send").disabled = true;
    add("problem", `Not connected (${event.code}${event.reason ? `: ${event.reason}` : ""}).`);
  };
}

function show(frame) {
  if ("status" in frame) {
    if (frame.status !== "OK") add("problem", `${frame.status}: ${frame.reason ?? ""}`);
    return;
  }
  const { headers = {}, value } = frame.record ?? {};
  const stream = headers["stream-id"];
  if (!stream) {
    add("answer", asText(value));
    return;
  }
  const item = streams.get(stream) ?? add("answer open", "");
  streams.set(stream, item);
  item.textContent += asText(value);
  if (headers["stream-last-message"] === "true") {
    item.classList.remove("open");
    streams.delete(stream);
  }
  $("messages").scrollTop = $("messages").scrollHeight;
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || socket?.readyState !== WebSocket.OPEN) return;
  add("you", question);
  socket.send(JSON.stringify({ value: question }));
  $("question").value = "";
});
$("gateway").addEventListener("change", showGateway);
$("connect").addEventListener("click", connect);

async function refresh() {
  const state = $("state");
  try {
    const description = await (await fetch(`/api/applications/${path}`)).json();
    const up = description.status.status.status === "DEPLOYED";
    state.textContent = up ? "running" : "not healthy";
    state.className = `state ${up ? "up" : "down"}`;
    showNodes(description.status.executors);
    return description;
  } catch {
    state.textContent = "stopped";
    state.className = "state down";
    return null;
  }
}

function showNodes(nodes) {
  const rows = nodes.map((node) => {
    const row = document.createElement("tr");
    const cells = [node.id, node.state, node.records_in, node.records_out, node.lag ?? "–", node.errors];
    row.append(...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: String(cell) })));
    return row;
  });
  $("nodes").replaceChildren(...rows);
  const failures = nodes.filter((node) => node.last_error && node.state !== "running");
  $("failure").hidden = failures.length === 0;
  $("failure").textContent = failures.map((node) => `${node.id}: ${node.last_error}`).join("\n");
}

$("title").textContent = facts.application;
document.title = `${facts.application} · LangStream`;
const description = await refresh();
const declared = description?.application.gateways.gateways ?? [];
const order = ["chat", "produce", "consume"];
gateways = declared
  .filter((gateway) => order.includes(gateway.type))
  .sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
for (const gateway of gateways) $("gateway").append(new Option(`${gateway.id} (${gateway.type})`));
showGateway();
if (gateways.length === 0) add("note", "This application has no chat, produce or consume gateway.");
else if (gateways[0].type === "chat" && !gateways[0].authentication) connect();
setInterval(refresh, 1500);

// The execution plan as a picture: gateways, topics and nodes in columns from left to right, links between them.

const COLUMN = 52;
const ROW = 22;
const SVG = "http://www.w3.org/2000/svg";

export function drawPlan(plan, gateways) {
  const graph = graphOf(plan, gateways);
  rank(graph);
  const columns = [];
  for (const box of graph.boxes.values()) (columns[box.rank] ??= []).push(box);
  arrange(columns.filter(Boolean), graph);
  return picture(graph);
}

function graphOf(plan, gateways) {
  const boxes = new Map();
  const edges = [];
  const add = (id, kind, title, lines = []) => boxes.set(id, { id, kind, title, lines, rank: 0 });
  const link = (from, to, kind = "") => {
    if (boxes.has(from) && boxes.has(to)) edges.push({ from: boxes.get(from), to: boxes.get(to), kind });
  };
  for (const topic of plan.topics) add(`topic ${topic.name}`, topic.implicit ? "topic implicit" : "topic", topic.name);
  for (const node of plan.agents) {
    const members = node.agents.map((agent) => (agent.name ? `${agent.name} (${agent.type})` : agent.type));
    add(`node ${node.id}`, "node", node.id, members);
  }
  for (const node of plan.agents) {
    const id = `node ${node.id}`;
    if (node.input) link(`topic ${node.input.topic}`, id);
    if (node.output) link(id, `topic ${node.output.topic}`);
    if (node["dead-letter"]) link(id, `topic ${node["dead-letter"].topic}`, "dead");
  }
  for (const { agent, topic } of plan.links ?? []) link(`node ${agent}`, `topic ${topic}`);
  for (const gateway of gateways) doors(gateway, add, link);
  return { boxes, edges };
}

function doors(gateway, add, link) {
  const name = `${gateway.id}`;
  const chat = gateway["chat-options"];
  const service = gateway["service-options"];
  const written = chat?.["questions-topic"] ?? service?.["input-topic"] ?? (gateway.type === "produce" ? gateway.topic : null);
  const read = chat?.["answers-topic"] ?? service?.["output-topic"] ?? (gateway.type === "consume" ? gateway.topic : null);
  if (written) {
    add(`in ${gateway.type} ${name}`, "door", name, [gateway.type]);
    link(`in ${gateway.type} ${name}`, `topic ${written}`);
  }
  if (read) {
    add(`out ${gateway.type} ${name}`, "door", name, [gateway.type]);
    link(`topic ${read}`, `out ${gateway.type} ${name}`);
  }
  if (service?.["agent-id"]) {
    add(`in ${gateway.type} ${name}`, "door", name, [gateway.type]);
    link(`in ${gateway.type} ${name}`, `node ${service["agent-id"]}`);
  }
}

// The longest way from a start; links that close a circle are left out of account.
function rank({ boxes, edges }) {
  const state = new Map();
  const after = new Map([...boxes.values()].map((box) => [box, []]));
  for (const edge of edges) after.get(edge.from).push(edge);
  const order = [];
  const visit = (box) => {
    state.set(box, "open");
    for (const edge of after.get(box)) {
      if (state.get(edge.to) === "open") edge.back = true;
      else if (!state.has(edge.to)) visit(edge.to);
    }
    state.set(box, "done");
    order.unshift(box);
  };
  const starts = new Set(boxes.values());
  for (const edge of edges) starts.delete(edge.to);
  for (const box of [...starts, ...boxes.values()]) if (!state.has(box)) visit(box);
  for (const box of order) {
    for (const edge of after.get(box)) if (!edge.back) edge.to.rank = Math.max(edge.to.rank, box.rank + 1);
  }
}

function arrange(columns, { edges }) {
  let x = 10;
  for (const column of columns) {
    for (const box of column) {
      const text = [box.title, ...box.lines].reduce((longest, line) => Math.max(longest, line.length), 6);
      box.width = Math.min(320, text * 7.2 + 28);
      box.height = 32 + box.lines.length * 17;
      const before = edges.filter((edge) => edge.to === box && !edge.back && edge.from.y !== undefined);
      box.wish = before.length ? before.reduce((sum, edge) => sum + edge.from.y + edge.from.height / 2, 0) / before.length : 0;
    }
    column.sort((one, other) => one.wish - other.wish);
    const width = Math.max(...column.map((box) => box.width));
    let y = 10;
    for (const box of column) {
      box.x = x + (width - box.width) / 2;
      box.y = Math.max(y, box.wish - box.height / 2);
      y = box.y + box.height + ROW;
    }
    x += width + COLUMN;
  }
}

function make(kind, attributes, text) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function shortened(text, width) {
  const most = Math.floor((width - 20) / 6.6);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function picture({ boxes, edges }) {
  const all = [...boxes.values()];
  const width = Math.max(200, ...all.map((box) => box.x + box.width)) + 20;
  const height = Math.max(80, ...all.map((box) => box.y + box.height)) + 40;
  const svg = make("svg", { class: "picture", width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.style.minWidth = `${Math.round(width * 0.6)}px`; // it shrinks to fit, as long as it can be read
  svg.append(make("title", {}, "Execution plan"));
  const head = make("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" });
  head.append(make("path", { d: "M0 0 L8 4 L0 8 z", fill: "currentColor", "fill-opacity": 0.6 }));
  const definitions = make("defs", {});
  definitions.append(head);
  svg.append(definitions);
  for (const edge of edges) svg.append(curve(edge, height));
  for (const box of all) svg.append(drawn(box));
  return svg;
}

function curve({ from, to, kind, back }, height) {
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
  const [x2, y2] = [to.x, to.y + to.height / 2];
  const path = back
    ? `M${x1} ${y1} C${x1 + 60} ${height - 10} ${x2 - 60} ${height - 10} ${x2} ${y2}`
    : `M${x1} ${y1} C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
  return make("path", { class: `edge ${kind}`, d: path, "marker-end": "url(#arrow)" });
}

function drawn(box) {
  const group = make("g", {});
  if (box.kind === "node") group.dataset.node = box.title;
  group.append(make("title", {}, [box.title, ...box.lines].join("\n")));
  const round = box.kind.startsWith("topic") ? box.height / 2 : 7;
  group.append(make("rect", { class: box.kind, x: box.x, y: box.y, width: box.width, height: box.height, rx: round }));
  const middle = box.kind.startsWith("topic");
  const at = { x: middle ? box.x + box.width / 2 : box.x + 10, "text-anchor": middle ? "middle" : "start" };
  group.append(make("text", { ...at, y: box.y + 21, class: "title" }, shortened(box.title, box.width)));
  box.lines.forEach((line, index) => {
    group.append(make("text", { ...at, y: box.y + 38 + index * 17, class: "small" }, shortened(line, box.width)));
  });
  return group;
}

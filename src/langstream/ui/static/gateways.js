// Connections to the gateways of one application: addresses, parameters, sockets that come back once, services.

export const session = {}; // parameter name → value, shared by all gateways

export function parametersOf(gateway) {
  const options = gateway["chat-options"] ?? gateway["service-options"] ?? {};
  const rules = [options.headers ?? []].flat();
  const named = rules.map((rule) => rule["value-from-parameters"] ?? rule.valueFromParameters);
  return [...new Set([...[gateway.parameters ?? []].flat(), ...named.filter(Boolean)])];
}

export function sessionValue(name) {
  session[name] ??= Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return session[name];
}

export function isProxied(gateway) {
  return Boolean(gateway["service-options"]?.["agent-id"]);
}

export class Doors {
  constructor(facts) {
    const scheme = location.protocol === "https:" ? "s" : "";
    this.host = `${location.hostname}:${facts.gatewayPort}`;
    this.sockets = `ws${scheme}://${this.host}/v1`;
    this.requests = `http${scheme}://${this.host}/api/gateways`;
    this.path = `${encodeURIComponent(facts.tenant)}/${encodeURIComponent(facts.application)}`;
  }

  address(gateway, { options = {}, credentials = null, socket = true } = {}) {
    const query = new URLSearchParams();
    for (const name of parametersOf(gateway)) query.set(`param:${name}`, sessionValue(name));
    for (const [name, value] of Object.entries(options)) query.set(`option:${name}`, value);
    if (gateway.authentication && credentials?.text) query.set(credentials.kind, credentials.text);
    const text = query.toString();
    const base = socket ? this.sockets : this.requests;
    return `${base}/${gateway.type}/${this.path}/${encodeURIComponent(gateway.id)}${text ? `?${text}` : ""}`;
  }

  // Why a handshake was refused: browsers do not tell, a plain request does. Asked of consume gateways only, where
  // asking changes nothing.
  async refusal(gateway, settings) {
    if (gateway.type !== "consume") return null;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 3000);
    try {
      const response = await fetch(this.address(gateway, { ...settings, socket: false }), { signal: stop.signal });
      return response.ok ? null : ((await response.json()).detail ?? null);
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
      stop.abort();
    }
  }

  async call(gateway, message, credentials, onFrame) {
    const response = await fetch(this.address(gateway, { credentials, socket: false }), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
      body: JSON.stringify(message),
    });
    if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail ?? `status ${response.status}`);
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      onFrame(await response.json());
      return;
    }
    await readEvents(response, onFrame);
  }
}

async function readEvents(response, onFrame) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      if (lines.some((line) => line === "event: error")) throw new Error(JSON.parse(data.join("\n")).detail);
      if (data.length) onFrame(JSON.parse(data.join("\n")));
    }
  }
}

// A socket that, when it breaks, comes back once and goes on after the last record it gave.
export class Connection {
  constructor(doors, gateway, settings, handlers) {
    Object.assign(this, { doors, gateway, settings, handlers });
    this.offset = null;
    this.closed = false;
    this.open(false);
  }

  open(again) {
    const options = { ...this.settings.options };
    if (again && this.offset) options.position = this.offset;
    const socket = new WebSocket(this.doors.address(this.gateway, { ...this.settings, options }));
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.handlers.opened(this.gateway, again);
    };
    socket.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      if (frame.offset) this.offset = frame.offset;
      this.handlers.frame(frame);
    };
    socket.onclose = async (event) => {
      if (this.closed) return;
      if (opened && !again) {
        setTimeout(() => this.closed || this.open(true), 1000);
        return;
      }
      const told = event.reason || (opened ? null : await this.doors.refusal(this.gateway, this.settings));
      const why = told ?? (opened ? "the connection broke" : "refused, or nobody listens");
      if (!this.closed) this.handlers.closed(this.gateway, why);
    };
  }

  get ready() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}

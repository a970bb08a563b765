// A small part of Markdown, built as elements: no text ever becomes markup, and links lead to http(s) alone.

export function markdown(text) {
  const made = document.createDocumentFragment();
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    if (line.startsWith("```")) {
      const end = lines.findIndex((each, index) => index > at && each.startsWith("```"));
      const stop = end < 0 ? lines.length : end;
      const block = document.createElement("pre");
      block.textContent = lines.slice(at + 1, stop).join("\n");
      made.append(block);
      at = stop + 1;
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(line)) {
      const list = document.createElement(/^\s*\d/.test(line) ? "ol" : "ul");
      for (; at < lines.length && /^\s*([-*+]|\d+[.)])\s+/.test(lines[at]); at++) {
        list.append(inline("li", lines[at].replace(/^\s*([-*+]|\d+[.)])\s+/, "")));
      }
      made.append(list);
    } else if (/^#{1,6}\s/.test(line)) {
      made.append(inline("strong", line.replace(/^#+\s+/, "")), document.createElement("br"));
      at++;
    } else if (line.trim() === "") {
      at++;
    } else {
      const start = at;
      while (at < lines.length && lines[at].trim() !== "" && !/^(```|#{1,6}\s|\s*([-*+]|\d+[.)])\s+)/.test(lines[at])) at++;
      if (at === start) at++;
      made.append(inline("p", lines.slice(start, at).join("\n")));
    }
  }
  return made;
}

const MARKS = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/g;

function inline(kind, text) {
  const element = document.createElement(kind);
  let last = 0;
  for (const found of text.matchAll(MARKS)) {
    element.append(text.slice(last, found.index));
    const [, code, bold, italic, label, address] = found;
    const made = document.createElement(code ? "code" : bold ? "strong" : italic ? "em" : "a");
    made.textContent = code ?? bold ?? italic ?? label;
    if (address) Object.assign(made, { href: address, rel: "noopener noreferrer", target: "_blank" });
    element.append(made);
    last = found.index + found[0].length;
  }
  element.append(text.slice(last));
  return element;
}

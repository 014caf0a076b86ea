import { $, h, redraw } from "./dom.js";
import { bytes, dash, late, rate, span, whole } from "./format.js";

const before = {}; // what each stream held when it was looked at last

// showStock lists what the streams hold and how far who reads them is.
export function showStock(streams) {
  redraw($("streams"), streams, () => streams.map(streamRow));
  for (const s of streams) before[s.name] = s;
  const consumers = streams.flatMap((s) => s.consumers.map((c) => ({ ...c, stream: s.name })));
  consumers.sort((a, b) => b.pending + b.unacked - a.pending - a.unacked);
  redraw($("consumers"), consumers, () => consumers.map((c) => h("tr", {},
    h("td", {}, c.name), h("td", { className: "soft wide" }, c.stream),
    number(whole(c.pending), c.pending > 1000), number(whole(c.unacked)), wide(whole(c.again), c.again > 0))));
}

function streamRow(s) {
  const last = before[s.name], seconds = last ? (s.at - last.at) / 1000 : 0;
  const grown = seconds > 0 ? Math.max(0, (s.sequence - last.sequence) / seconds) : null;
  const bound = s.max_bytes > 0 ? ` of ${bytes(s.max_bytes)}` : "";
  return h("tr", {}, h("td", {}, s.name), number(whole(s.messages)), number(bytes(s.bytes) + bound, s.max_bytes > 0 && s.bytes > .9 * s.max_bytes),
    number(grown === null ? dash : `${rate(grown)}/s`), wide(s.first ? span((s.at - s.first) / 1000) : dash), wide(String(s.replicas)));
}

const number = (text, hot = false) => h("td", { className: hot ? "n hot" : "n" }, text);

// wide has room on a wide screen only.
const wide = (text, hot = false) => h("td", { className: hot ? "n wide hot" : "n wide" }, text);

// showParts lists the processes as they report themselves, and the buses.
export function showParts(s) {
  const rows = [
    ...s.parts.map((p) => ({ tone: p.tone, name: p.role, does: p.does, up: span((s.now - p.started) / 1000), cpu: `${rate(p.cpu)} %`, memory: `${whole(p.memory)} MiB`, title: `${p.instance}, version ${p.version}` })),
    ...s.buses.map((b) => ({ tone: b.tone, name: `bus ${b.name}`, does: busText(b, s.now), up: "", cpu: "", memory: "", title: "" })),
  ];
  redraw($("parts"), rows, () => rows.map((r) => h("tr", { title: r.title, data: { tone: r.tone } },
    h("td", {}, h("span", { className: "dot", ariaHidden: "true" }), r.name), h("td", { className: "soft" }, r.does), number(r.up), wide(r.cpu), number(r.memory))));
}

function busText(b, now) {
  if (b.tone === "bad") return `away${b.since ? " for " + late(now - b.since) : ""}${b.error ? ": " + b.error : ""}`;
  const listeners = b.receivers >= 0 && b.leads ? `, ${whole(b.receivers)} subscribed` : "";
  return (b.leads ? "this process publishes here" : "answers; another process publishes here") + listeners;
}

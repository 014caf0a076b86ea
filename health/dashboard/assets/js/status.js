import { $, h, say, redraw, colour } from "./dom.js";
import { clock, inMinutes, late, many, rate, reach, sentence, span, whole } from "./format.js";

const GRADES = { error: ["bad", "Error"], warning: ["warning", "Warning"], info: ["waiting", "Note"] };
const TONES = { healthy: "good", degraded: "warning", warning: "warning", starting: "waiting", stopping: "waiting" };

let last = null, silent = false;

export function showState(s) {
  last = s;
  const n = s.numbers;
  say($("session-id"), s.session.id ? s.session.id.slice(0, 8) : "none");
  $("session-id").title = s.session.id;
  say($("session-universe"), s.session.universe ? `${s.session.universe}, ${many(s.session.symbols, "symbol")}` : "none");
  say($("session-day"), s.session.day ? s.session.day + (s.session.ended_at ? `, ${s.session.final}` : "") : "none");
  say($("uptime"), s.event_at ? span(n.uptime + (s.now - s.event_at) / 1000) : "just started");
  silent = false;
  document.body.classList.toggle("stale", s.status === "unknown");
  verdict(s.status, s.tone, headline(s));
  say($("as-of"), s.event_at ? `measured ${clock(s.event_at)}` : "now");
  redraw($("issues"), s.issues, () => grouped(s.issues).map(issue));
  announce(s.status, s.issues.length);
}

// showSilence takes back what the page can no longer vouch for.
export function showSilence(ms) {
  document.body.classList.add("stale");
  verdict("no word", "bad", `Nothing was heard from health for ${span(ms / 1000)}. All below is as of ${last ? clock(last.now) : "never"} and may not be true any more.`);
  if (silent) return;
  silent = true;
  say($("as-of"), "no word since");
  redraw($("issues"), "silent", () => [issue([{
    severity: "error", sentence: "health has stopped publishing: its process has ended or hangs, or the network to it is down",
    mend: "start it again (tickstream health, or up) and look at its log; this page goes on by itself when it is back",
  }])]);
  announce("no word from health", 1);
}

function verdict(word, tone, text) {
  $("status").dataset.tone = tone;
  say($("status-word"), word);
  say($("headline"), text);
  document.title = `${word} · tickstream`;
}

function headline(s) {
  const n = s.numbers;
  if (!s.event_at) return "Health has just started and has measured nothing yet.";
  if (s.status === "unknown") return `The last health event is ${span((s.now - s.event_at) / 1000)} old.`;
  const when = s.issues.some((i) => i.code === "jetstream_unreachable") ? "As last measured: " : "";
  return `${when}${whole(n.active)} of ${whole(n.universe)} symbols active, ${rate(n.ticks)} ticks/s, ${late(n.lag)} behind; ` +
    `${many(n.patterns, "pattern")} and ${many(n.indicators, "indicator value")} this session` + (n.errors ? `, ${many(n.errors, "error")} lately.` : ".");
}

// grouped puts issues of one kind, which one deed mends, together.
function grouped(issues) {
  const groups = new Map();
  for (const i of issues) {
    const key = `${i.severity} ${i.code} ${i.mend}`;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  return [...groups.values()];
}

function issue([first, ...others]) {
  const [tone, word] = GRADES[first.severity] ?? GRADES.info;
  return h("li", { data: { tone } },
    h("span", { className: "grade" }, word),
    h("span", { className: "what" }, sentence(first.sentence)),
    first.mend ? h("span", { className: "mend" }, h("b", {}, "To do: "), first.mend + ".") : null,
    others.length ? more(first.code, others) : null);
}

const unfolded = new Set(); // codes; the list is drawn anew as its numbers change

function more(code, others) {
  const details = h("details", { className: "more", open: unfolded.has(code) },
    h("summary", {}, `and ${others.length} more like it`), h("ul", {}, ...others.map((o) => h("li", {}, sentence(o.sentence)))));
  details.addEventListener("toggle", () => (details.open ? unfolded.add(code) : unfolded.delete(code)));
  return details;
}

let said = "";

// announce has a screen reader say each change once.
function announce(status, issues) {
  const text = issues ? `Status ${status}, ${many(issues, "issue")}` : `Status ${status}`;
  if (text === said) return;
  said = text;
  say($("announce"), text);
}

// drawStrip paints the status of the last minutes, oldest first.
export function drawStrip(points, now) {
  const canvas = $("strip"), scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width) return;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const ctx = canvas.getContext("2d");
  ctx.scale(scale, scale);
  ctx.fillStyle = colour("line");
  ctx.fillRect(0, 0, width, height);
  const window = reach(points, now);
  const x = (at) => Math.max(0, width * (1 - (now - at) / window));
  say($("strip-from"), `${inMinutes(window)} ago`);
  const paint = {};
  let troubled = 0;
  points.forEach((p, i) => {
    const end = Math.min(points[i + 1]?.at ?? now, p.at + 15000);
    if (end < now - window) return;
    const tone = TONES[p.status] ?? "bad";
    if (tone === "bad" || tone === "warning") troubled += end - p.at;
    ctx.fillStyle = paint[tone] ??= colour(tone);
    const from = Math.floor(x(p.at));
    ctx.fillRect(from, 0, Math.max(1, Math.ceil(x(end)) - from), height);
  });
  canvas.setAttribute("aria-label", `Status over the last ${inMinutes(window)}: ${troubled ? `not well for ${span(troubled / 1000)}` : "no trouble"}`);
}

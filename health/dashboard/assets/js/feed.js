import { $, h, redraw } from "./dom.js";
import { clock } from "./format.js";

const SHOWN = 120;
const SYSTEM = ["fault", "gap", "session"];

// showFeed lists the newest entries first, of the kind that is chosen.
export function showFeed(entries, pick) {
  const kind = $("kind").value;
  const wanted = (e) => !kind || e.kind === kind || (kind === "system" && SYSTEM.includes(e.kind));
  const list = entries.filter(wanted).slice(-SHOWN).reverse();
  redraw($("feed"), list, () => (list.length ? list.map((e) => line(e, pick)) : [h("li", { className: "none" }, "Nothing yet. Patterns come with the bars, a minute at a time.")]));
}

function line(e, pick) {
  return h("li", { data: { tone: e.tone } },
    h("time", { dateTime: new Date(e.at).toISOString() }, clock(e.at)),
    e.symbol ? h("button", { type: "button", title: `Show the bars of ${e.symbol}`, onclick: () => pick(e.symbol) }, e.symbol) : h("span", {}, "system"),
    h("span", { className: "title" }, e.title.charAt(0).toUpperCase() + e.title.slice(1)),
    h("span", { className: "detail" }, e.detail));
}

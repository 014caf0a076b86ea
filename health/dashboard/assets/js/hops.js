import { $, h, redraw } from "./dom.js";
import { late, rate, whole } from "./format.js";

const NAMES = {
  redis: "Redis", bridge: "Bridge", ticks: "TICKS", pipeline: "Pipeline", results: "BARS/SIGNALS",
  store: "Store", egress: "Egress", health: "Health",
};
const BRANCHES = ["store", "egress"]; // whose stations are small
const WORDS = { good: "works", warning: "impaired", bad: "broken", waiting: "not measured yet", off: "not used", unknown: "not known" };

let last = [];

// loseHops takes back what health is not there to tell any more.
export function loseHops() {
  showHops(last.map((hop) => (hop.id === "health" ? { ...hop, tone: "bad", rate: null, note: "no word" } :
    { ...hop, tone: hop.tone === "off" ? "off" : "unknown" })));
}

// showHops draws the picture: what passes each station, how late, how it is.
export function showHops(hops) {
  last = hops;
  redraw($("hops"), hops, () => hops.map(station));
}

function station(hop) {
  const word = WORDS[hop.tone], details = [];
  if (hop.lag !== null) details.push(`${late(hop.lag)} late`);
  if (hop.waiting !== null && (hop.waiting > 0 || !BRANCHES.includes(hop.id))) details.push(`${whole(hop.waiting)} waiting`);
  const flows = hop.rate > 0 && hop.tone !== "bad" && hop.tone !== "unknown";
  return h("li", { className: "hop", data: { id: hop.id, tone: hop.tone, flow: flows ? "yes" : "no" } },
    h("span", { className: "name" }, NAMES[hop.id], h("span", { className: "word" }, (hop.tone === "bad" ? "✕ " : "") + word)),
    h("span", { className: "rate" }, rate(hop.rate), " ", h("span", {}, hop.unit)),
    details.length ? h("span", { className: "late" }, details.join(", ")) : null,
    h("span", { className: "about", title: hop.note }, hop.note));
}

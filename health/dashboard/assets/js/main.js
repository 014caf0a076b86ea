import { $, say } from "./dom.js";
import { follow } from "./events.js";
import { showState, showSilence, drawStrip } from "./status.js";
import { loseHops, showHops } from "./hops.js";
import { makeCharts, restyleCharts, showPoints } from "./charts.js";
import { makeCandles, restyleCandles, barsGrew, pick } from "./candles.js";
import { showFeed } from "./feed.js";
import { showStock, showParts } from "./tables.js";
import { makeReplay, showReplay } from "./replay.js";

const KEPT = { points: 1000, entries: 200 };
let points = [], entries = [], ahead = 0; // of the server's clock

// merge adds what is not there yet, in its place by its moment.
function merge(list, fresh, most) {
  const known = new Set(list.map((i) => JSON.stringify(i)));
  const all = list.concat(fresh.filter((i) => !known.has(JSON.stringify(i))));
  return all.sort((a, b) => a.at - b.at).slice(-most);
}

const now = () => Date.now() + ahead;

function drawTime() {
  showPoints(points, now());
  drawStrip(points, now());
}

const take = {
  hello({ anew }) {
    if (anew) points = entries = [];
  },
  state(s) {
    ahead = s.now - Date.now();
    showState(s);
    showHops(s.hops);
    showParts(s);
    drawTime();
  },
  points(list) {
    points = merge(points, list, KEPT.points);
    drawTime();
  },
  entries(list) {
    entries = merge(entries, list, KEPT.entries);
    showFeed(entries, pick);
  },
  stock(streams) {
    showStock(streams);
    barsGrew(streams.find((s) => s.name === "BARS")?.sequence ?? 0);
  },
  replay: showReplay,
};

function tell(state, quiet) {
  const link = $("link");
  link.dataset.state = state;
  say(link, state);
  if (state !== "silent") return;
  showSilence(quiet);
  loseHops();
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function restyle() {
  restyleCharts();
  restyleCandles();
  drawTime();
}

function switchTheme() {
  const root = document.documentElement, isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try { localStorage.setItem("tickstream-theme", root.dataset.theme); } catch { /* kept nowhere */ }
  restyle();
}

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest?.("input, select, textarea")) return;
  if (e.key === "t") switchTheme();
  if (e.key === "/") {
    e.preventDefault();
    $("symbol").focus();
  }
});
$("theme").addEventListener("click", switchTheme);
dark.addEventListener("change", restyle);
$("kind").addEventListener("change", () => showFeed(entries, pick));
say($("zone"), `Times are of ${Intl.DateTimeFormat().resolvedOptions().timeZone}`);

makeCharts();
makeReplay();
showFeed(entries, pick);
follow("api/events", take, tell);
fetch("api/symbols").then((a) => a.json()).then(makeCandles).catch(() => makeCandles([]));

import { $, colour, say } from "./dom.js";
import { clock, hour, inMinutes, late, rate, reach, whole } from "./format.js";

const GAP = 25000; // milliseconds without a point are a hole in the line
const CHARTS = [
  { id: "chart-ticks", series: [["ticks", "accent"]], value: (p) => [rate(p.ticks), "ticks/s"] },
  { id: "chart-lag", series: [["lag", "accent"]],
    value: (p) => { const [n, unit] = late(p.lag).split(/ (?=\D+$)/); return [n, unit ?? ""]; }, tick: (ms) => (ms < 1000 ? whole(ms) : `${ms / 1000} s`) },
  { id: "chart-bars", series: [["bars", "accent"]], value: (p) => [rate(p.bars), "bars/min"] },
  { id: "chart-symbols", series: [["active", "good"], ["stale", "warning"]], value: (p) => [whole(p.active), `active, ${whole(p.stale)} stale`] },
];
const plots = [];
let points = [], now = Date.now(), pointed = null;

export function makeCharts() {
  for (const chart of CHARTS) {
    const box = $(chart.id).querySelector(".plot");
    box.tabIndex = 0;
    box.setAttribute("role", "img");
    box.addEventListener("keydown", (e) => walk(e, box));
    plots.push({ chart, box, plot: make(chart, box) });
    new ResizeObserver(() => { const p = plots.find((x) => x.box === box); p.plot.setSize(size(box)); }).observe(box);
  }
}

export function restyleCharts() {
  for (const p of plots) {
    p.plot.destroy();
    p.plot = make(p.chart, p.box);
  }
  showPoints(points, now);
}

const size = (box) => ({ width: Math.max(80, box.clientWidth), height: Math.max(60, box.clientHeight) });

function make(chart, box) {
  const soft = colour("soft"), line = colour("line");
  const axis = { stroke: soft, font: "11px system-ui, sans-serif", ticks: { show: false }, grid: { stroke: line, width: 1 } };
  return new uPlot({
    ...size(box), legend: { show: false }, padding: [6, 6, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: "minutes" } },
    scales: {
      x: { range: () => [(now - reach(points, now)) / 1000, now / 1000] },
      y: { range: (_, low, high) => [0, high > 0 ? high * 1.15 : 1] },
    },
    axes: [
      { ...axis, size: 24, space: 70, values: (_, at) => at.map((t) => hour(t * 1000)) },
      { ...axis, size: 38, space: 34, gap: 3, values: (_, v) => v.map(chart.tick ?? ((n) => (n && n < 1 ? n.toFixed(1) : rate(n)))) },
    ],
    series: [{}, ...chart.series.map(([, tone], i) => ({
      stroke: colour(tone), width: 1.6, fill: i === 0 ? colour(tone, .13) : undefined, points: { show: false },
    }))],
    hooks: { setCursor: [(u) => point(u.cursor.idx)] },
  }, table(chart), box);
}

// table is the points as uPlot takes them, with a hole where none came.
function table(chart) {
  const at = [], columns = chart.series.map(() => []);
  points.forEach((p, i) => {
    if (i && p.at - points[i - 1].at > GAP) {
      at.push((points[i - 1].at + 1) / 1000);
      columns.forEach((c) => c.push(null));
    }
    at.push(p.at / 1000);
    chart.series.forEach(([key], k) => columns[k].push(p[key]));
  });
  return [at, ...columns];
}

export function showPoints(list, at) {
  points = list;
  now = at;
  for (const { chart, plot } of plots) plot.setData(table(chart));
  readouts();
}

function point(index) {
  const at = index === null || index === undefined || !plots.length ? null : plots[0].plot.data[0][index];
  pointed = at === null || at === undefined ? null : points.find((p) => Math.abs(p.at / 1000 - at) < .5) ?? null;
  readouts();
}

// readouts are the values of now, or those under the cursor.
function readouts() {
  const p = pointed ?? points.at(-1);
  if (!p) return;
  for (const { chart, box } of plots) {
    const [value, unit] = chart.value(p), shown = $(chart.id).querySelector(".value");
    say(shown.querySelector("b"), value);
    say(shown.querySelector("span"), pointed ? `${unit} at ${clock(p.at)}` : unit);
    if (!pointed) box.setAttribute("aria-label", `${$(chart.id).querySelector("h2").textContent} over the last ${inMinutes(reach(points, now))}, now ${value} ${unit}`);
  }
}

// walk moves the cursor along the points.
function walk(e, box) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
  const plot = plots.find((p) => p.box === box).plot, last = plot.data[0].length - 1;
  if (e.key === "Escape") plot.setCursor({ left: -10, top: -10 });
  if (!step || last < 0) return;
  e.preventDefault();
  const index = Math.min(last, Math.max(0, (plot.cursor.idx ?? last + (step < 0 ? 1 : 0)) + step));
  plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: 10 });
}

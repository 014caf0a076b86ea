import { $, h, colour, say, redraw } from "./dom.js";
import { clock, day, hour, many, price, rate, sentence } from "./format.js";

const TONES = { bullish: "up", bearish: "down" };
let plot = null, shown = null, sequence = 0, asked = 0;

export function makeCandles(symbols) {
  $("symbols").replaceChildren(...symbols.map((s) => h("option", { value: s })));
  let wanted = "";
  try { wanted = localStorage.getItem("tickstream-symbol") ?? ""; } catch { /* kept nowhere */ }
  $("symbol").value = wanted && symbols.includes(wanted) ? wanted : symbols[0] ?? "";
  $("pick").addEventListener("submit", (e) => { e.preventDefault(); load(); });
  $("symbol").addEventListener("change", load);
  $("symbol").addEventListener("focus", (e) => e.target.select());
  $("timeframe").addEventListener("change", load);
  const box = $("candles");
  box.addEventListener("keydown", walk);
  new ResizeObserver(() => plot?.setSize(size())).observe(box);
  load();
}

export function pick(symbol) {
  $("symbol").value = symbol;
  load();
}

// barsGrew loads the chart again when BARS has something new.
export function barsGrew(last) {
  if (last === sequence) return;
  sequence = last;
  if (!document.hidden) load();
}

export function restyleCandles() { if (shown) draw(shown); }

async function load() {
  const symbol = $("symbol").value.trim().toUpperCase(), timeframe = $("timeframe").value;
  if (!symbol) return;
  try { localStorage.setItem("tickstream-symbol", symbol); } catch { /* kept nowhere */ }
  const turn = ++asked;
  try {
    const answer = await fetch(`api/candles?symbol=${encodeURIComponent(symbol)}&timeframe=${timeframe}`);
    const chart = answer.ok ? await answer.json() : null;
    if (turn !== asked) return; // another was asked for meanwhile
    if (chart) draw(chart);
    else fail(await answer.text());
  } catch {
    fail("the bars cannot be read now");
  }
}

function fail(text) {
  $("candles").hidden = !shown?.bars.length;
  say($("candles-note"), sentence(text.trim()));
}

const size = () => ({ width: Math.max(80, $("candles").clientWidth), height: Math.max(120, $("candles").clientHeight) });

function draw(chart) {
  shown = chart;
  const { bars, patterns } = chart, places = new Map(bars.map((b, i) => [b.at, i]));
  for (const b of bars) b.patterns = [];
  for (const p of patterns) bars[places.get(p.at)]?.patterns.push(p);
  $("candles").hidden = !bars.length;
  say($("candles-note"), bars.length ? "" : `No ${chart.timeframe} bar of ${chart.symbol} yet: a bar comes when its time is over.`);
  $("candles").setAttribute("aria-label", summary(chart));
  const latest = patterns.slice(-10).reverse();
  redraw($("patterns"), latest, () => latest.map((p) => h("li", { data: { tone: TONES[p.direction] ?? "unknown" } }, when(p.at), " ", h("b", {}, p.name), ` ${p.confidence.toFixed(2)}`)));
  plot?.destroy();
  plot = bars.length ? make(bars) : null;
  readout(null);
}

const daily = () => shown.timeframe === "daily" || shown.bars.at(-1).at - shown.bars[0].at > 36 * 3600 * 1000;
const when = (at) => (shown.timeframe === "daily" ? day(at) : daily() ? `${day(at)} ${hour(at)}` : hour(at));

function summary({ symbol, timeframe, bars, patterns }) {
  if (!bars.length) return `Candlestick chart of ${symbol}: no bars yet`;
  const last = bars.at(-1);
  return `Candlestick chart of ${symbol}, ${many(bars.length, timeframe + " bar")}, last close ${price(last.c)} at ${clock(last.at)}, ${many(patterns.length, "pattern")}`;
}

function make(bars) {
  const soft = colour("soft"), line = colour("line");
  const axis = { stroke: soft, font: "11px system-ui, sans-serif", ticks: { show: false }, grid: { stroke: line, width: 1 } };
  const least = Math.min(...bars.map((b) => b.l)), most = Math.max(...bars.map((b) => b.h)), room = (most - least || most * .001 || 1);
  return new uPlot({
    ...size(), legend: { show: false }, padding: [8, 4, 0, 20],
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: false, range: () => [Math.min(-1, bars.length - 40), bars.length] },
      y: { range: () => [least - room * .3, most + room * .1] }, // the lowest part is the volume's
    },
    axes: [
      { ...axis, size: 26, space: 80, incrs: [1, 2, 5, 10, 15, 20, 30, 60], values: (_, at) => at.map((i) => (bars[i] ? when(bars[i].at) : "")) },
      { ...axis, side: 1, size: 58, space: 38, values: (_, v) => v.map(price) },
    ],
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: { draw: [(u) => paint(u, bars)], setCursor: [(u) => readout(bars[u.cursor.idx] ?? null)] },
  }, [bars.map((_, i) => i), bars.map((b) => b.c)], $("candles"));
}

// paint draws volume, candles and the marks of patterns.
function paint(u, bars) {
  const { ctx } = u, { left, top, width, height } = u.bbox, scale = devicePixelRatio || 1;
  const up = colour("up"), down = colour("down"), step = u.valToPos(1, "x", true) - u.valToPos(0, "x", true);
  const body = Math.max(1, Math.min(14 * scale, Math.floor(step * .62))), loudest = Math.max(...bars.map((b) => b.v)) || 1;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  bars.forEach((b, i) => {
    const x = Math.round(u.valToPos(i, "x", true)), y = (v) => Math.round(u.valToPos(v, "y", true));
    ctx.fillStyle = ctx.strokeStyle = b.c >= b.o ? up : down;
    ctx.globalAlpha = .22;
    const tall = (b.v / loudest) * height * .16;
    ctx.fillRect(x - body / 2, top + height - tall, body, tall);
    ctx.globalAlpha = 1;
    ctx.fillRect(x - scale / 2, y(b.h), scale, Math.max(1, y(b.l) - y(b.h)));
    ctx.fillRect(x - body / 2, y(Math.max(b.o, b.c)), body, Math.max(scale, Math.abs(y(b.o) - y(b.c))));
    mark(ctx, b, x, y, scale, step);
  });
  ctx.restore();
}

// mark puts a triangle below a bar for bullish patterns, above for bearish ones,
// and a dot for what says neither.
function mark(ctx, b, x, y, scale, step) {
  const wide = Math.min(4.5 * scale, Math.max(2 * scale, step * .4));
  const has = (tone) => b.patterns.some((p) => (TONES[p.direction] ?? "none") === tone);
  const triangle = (at, way, tone) => {
    ctx.fillStyle = colour(tone);
    ctx.beginPath();
    ctx.moveTo(x, at);
    ctx.lineTo(x - wide, at + way * wide * 1.7);
    ctx.lineTo(x + wide, at + way * wide * 1.7);
    ctx.fill();
  };
  if (has("up")) triangle(y(b.l) + 5 * scale, 1, "up");
  if (has("down")) triangle(y(b.h) - 5 * scale, -1, "down");
  if (has("none")) {
    ctx.fillStyle = colour("soft");
    ctx.beginPath();
    ctx.arc(x, y(b.h) - (has("down") ? 17 : 7) * scale, wide * .55, 0, 7);
    ctx.fill();
  }
}

function readout(bar) {
  const b = bar ?? shown.bars.at(-1);
  redraw($("bar"), b ?? null, () => (b ? [
    h("b", {}, when(b.at)), "  O ", h("b", {}, price(b.o)), "  H ", h("b", {}, price(b.h)), "  L ", h("b", {}, price(b.l)),
    "  C ", h("b", {}, price(b.c)), `  volume ${rate(b.v)}`, b.revision ? `, revision ${b.revision}` : "",
    b.patterns.length ? "  " + b.patterns.map((p) => p.name).join(", ") : "",
  ] : []));
}

function walk(e) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
  if (!step || !plot) return;
  e.preventDefault();
  const last = shown.bars.length - 1;
  const index = Math.min(last, Math.max(0, (plot.cursor.idx ?? last + (step < 0 ? 1 : 0)) + step));
  plot.setCursor({ left: plot.valToPos(index, "x"), top: plot.valToPos(shown.bars[index].c, "y") });
}

import { $, say } from "./dom.js";
import { late, many, rate, sentence } from "./format.js";

let proposed = false;

export function makeReplay() {
  const form = $("replay");
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    const f = form.elements;
    const order = {
      from: f.from.value.trim(), to: f.to.value.trim() === "now" ? "" : f.to.value.trim(), speed: Number(f.speed.value),
      symbols: f.symbols.value.toUpperCase().split(/[\s,]+/).filter(Boolean), channel: f.channel.value.trim(),
    };
    tell("Starting…", "");
    await ask("POST", JSON.stringify(order));
  });
  $("cancel").addEventListener("click", () => ask("DELETE"));
}

async function ask(method, body) {
  try {
    const answer = await fetch("api/replay", { method, body, headers: body ? { "Content-Type": "application/json" } : {} });
    if (!answer.ok) tell(sentence((await answer.text()).trim()), "bad");
  } catch {
    tell("The server does not answer: nothing was started.", "bad");
  }
}

function tell(text, tone) {
  const line = $("replay-said");
  say(line, text);
  line.dataset.tone = tone;
}

export function showReplay(r) {
  const form = $("replay"), running = r.phase === "running";
  if (!proposed) {
    proposed = true;
    form.elements.channel.value = r.channel;
  }
  for (const control of form.elements) if (control.id !== "cancel") control.disabled = running || !r.allowed;
  $("cancel").hidden = !running;
  $("start").hidden = running;
  $("replay-progress").hidden = r.phase === "idle";
  $("replay-progress").firstElementChild.value = r.share;
  if (!r.allowed) return tell("This page may not replay: use tickstream replay.", "");
  if (r.phase === "idle") return;
  const done = `${many(r.ticks, "tick")} to ${r.channel} in ${late(r.took)}`;
  switch (r.phase) {
    case "running":
      return tell(`${Math.floor(r.share * 100)} %: ${done}, ${rate(r.took ? r.ticks / (r.took / 1000) : 0)}/s`, "waiting");
    case "done": return tell(`Done: ${done}.`, "good");
    case "cancelled": return tell(`Cancelled after ${done}.`, "warning");
    default: return tell(`Failed after ${done}: ${r.error}.`, "bad");
  }
}

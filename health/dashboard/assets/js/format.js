const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minutes = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const dash = "–";
export const whole = (n) => grouped.format(n);
export const clock = (at) => (at ? seconds.format(at) : dash);
export const hour = (at) => minutes.format(at);
export const day = (at) => days.format(at);

// rate keeps three digits, which is what an eye compares.
export function rate(n) {
  if (n === null || n === undefined) return dash;
  if (n >= 10000) return short.format(n);
  if (n >= 100) return whole(n);
  return n.toFixed(n >= 10 || n === 0 ? 0 : 1);
}

export function late(ms) {
  if (ms === null || ms === undefined) return dash;
  if (ms < 1000) return `${ms < 10 && ms > 0 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  return span(ms / 1000);
}

export function span(s) {
  s = Math.max(0, Math.floor(s));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// reach is how far back charts go, in milliseconds: as far as there are points, at
// least two and at most fifteen minutes.
export function reach(points, now) {
  const whole = Math.ceil((now - (points[0]?.at ?? now)) / 60000);
  return Math.min(15, Math.max(2, whole)) * 60000;
}

export const inMinutes = (ms) => `${Math.round(ms / 60000)} minutes`;

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
export const many = (n, thing) => `${whole(n)} ${thing}${n === 1 ? "" : "s"}`;

export function price(v) {
  return v >= 1000 ? whole(v) : v.toFixed(v < 1 ? 4 : 2);
}

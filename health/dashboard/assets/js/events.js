// SILENT is how long nothing may come before the page says so. Something comes
// every second.
const SILENT = 8000;
const AGAIN = 2000;

// follow hands each event to take[its name] and tells whether the stream is live,
// connecting or silent, and for how long nothing came.
export function follow(url, take, tell) {
  let source = null, seen = "", heard = performance.now(), connected = heard, again = 0;

  function open() {
    connected = performance.now();
    source?.close();
    source = new EventSource(seen ? `${url}?seen=${encodeURIComponent(seen)}` : url);
    for (const name of Object.keys(take)) {
      source.addEventListener(name, (e) => {
        heard = performance.now();
        if (e.lastEventId) seen = e.lastEventId;
        take[name](JSON.parse(e.data));
        check();
      });
    }
    source.onerror = () => {
      // The browser tries again by itself unless the answer was no event stream.
      if (source.readyState === EventSource.CLOSED && !again) {
        again = setTimeout(() => { again = 0; askWho().then(open); }, AGAIN);
      }
    };
  }

  // Whoever must sign in anew gets the page that asks for it.
  async function askWho() {
    const answer = await fetch("health").catch(() => null);
    if (answer?.status === 401) location.reload();
  }

  function check() {
    const quiet = performance.now() - heard;
    if (quiet > SILENT) tell("silent", quiet);
    else tell(source.readyState === EventSource.OPEN ? "live" : "connecting", quiet);
    // A connection may be dead without either side knowing.
    if (quiet > SILENT && performance.now() - connected > SILENT && source.readyState === EventSource.OPEN) open();
  }

  open();
  setInterval(check, 500);
}

"use strict";
// Runs before the page is painted, so that it is never painted twice.
try {
  const chosen = localStorage.getItem("tickstream-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch { /* a browser that keeps nothing follows the system */ }

// Runs before the first paint, so that nobody who chose dark sees a flash of white.
try {
  document.documentElement.dataset.theme = JSON.parse(localStorage.getItem("clew") ?? "{}").theme ?? "auto";
} catch {}

"use strict";
// Runs before the first paint, so that a dark page never flashes white.
{
  let kept = null;
  try {
    kept = localStorage.getItem("gomem-theme");
  } catch {
    /* a file may have no storage */
  }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const system = () => (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = kept === "dark" || kept === "light" ? kept : system();
  dark.addEventListener("change", () => {
    if (kept) return;
    document.documentElement.dataset.theme = system();
    document.dispatchEvent(new Event("themechange"));
  });
}

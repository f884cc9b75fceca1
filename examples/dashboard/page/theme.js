// The theme: what the system says, or what was chosen here. A plain script, so that the first paint has its colours.
"use strict";
{
  const KEY = "gradcam-theme";
  const THEMES = ["auto", "light", "dark"];

  // Storage may be forbidden; then the choice holds as long as the page.
  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const keep = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Not kept, still shown.
    }
  };
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
  };

  const first = THEMES.includes(kept()) ? kept() : "auto";
  show(first);
  document.addEventListener("DOMContentLoaded", () => {
    for (const radio of document.querySelectorAll("input[name=theme]")) {
      radio.checked = radio.value === first;
      radio.addEventListener("change", () => {
        show(radio.value);
        keep(radio.value);
      });
    }
  });
}

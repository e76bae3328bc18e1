/**
 * Light, dark, or as the system has it. A classic script, so that it runs before the first paint.
 * Where storage is blocked the choice holds until the page is left, and the page says so.
 */
(() => {
  const KEY = "transduct-theme";
  const THEMES = ["auto", "light", "dark"];
  const root = document.documentElement;

  /** @returns {string} */
  function stored() {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto";
    }
  }

  /** @param {string} theme @returns {boolean} whether it was kept */
  function store(theme) {
    try {
      localStorage.setItem(KEY, theme);
      return true;
    } catch {
      return false;
    }
  }

  /** @param {string} theme */
  function apply(theme) {
    root.dataset.theme = THEMES.includes(theme) ? theme : "auto";
    document.dispatchEvent(new Event("themechange"));
  }

  apply(stored());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    apply(root.dataset.theme ?? "auto"),
  );

  document.addEventListener("DOMContentLoaded", () => {
    const button = /** @type {HTMLButtonElement} */ (document.getElementById("theme"));
    const label = () => {
      button.textContent = `Theme: ${root.dataset.theme}`;
    };
    button.addEventListener("click", () => {
      const theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
      apply(theme);
      label();
      if (!store(theme)) document.dispatchEvent(new Event("storageblocked"));
    });
    label();
  });
})();

// The theme's folding arrows get a name, and whatever scrolls sideways can be scrolled with the keyboard as well.
(() => {
  window.addEventListener("DOMContentLoaded", () => {
    for (const arrow of document.querySelectorAll("nav summary")) {
      const title = arrow.closest("li")?.querySelector("a")?.textContent.trim();
      arrow.setAttribute("aria-label", `Pages of ${title ?? "this part"}`);
    }
  });
  const reach = () => {
    for (const box of document.querySelectorAll("mjx-container[display], div.cell_output, div.math, pre")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    }
  };
  window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
  window.addEventListener("resize", reach);
})();

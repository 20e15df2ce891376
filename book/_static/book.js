// Whatever scrolls sideways can be scrolled with the keyboard as well.
(() => {
  const reach = () => {
    for (const box of document.querySelectorAll("mjx-container[display], div.cell_output, div.math, pre")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    }
  };
  window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
  window.addEventListener("resize", reach);
})();

// The theme's folding arrows get a name, numbers of a table stand under each other, and whatever scrolls sideways can be
// scrolled with the keyboard as well.
(() => {
  const NUMBER = /^(nan|none|[-+−]?inf|[-+−]?\d[\d.,]*(e[-+]?\d+)?( ?%)?)$/i;
  const set = (table) => {
    const rows = [...table.tBodies[0].rows], heads = [...(table.tHead?.rows ?? [])];
    for (let fromRight = 1; fromRight <= rows[0].querySelectorAll("td").length; fromRight++) {
      const column = (row) => row.cells[row.cells.length - fromRight];
      if (!rows.every((row) => NUMBER.test(column(row).textContent.trim()))) continue;
      for (const row of [...heads, ...rows]) column(row)?.classList.add("number");
    }
    // pandas' index that only counts the rows
    const counts = rows.every((row, at) => row.cells[0].tagName === "TH" && row.cells[0].textContent === `${at}`);
    if (counts && heads.length === 1 && !heads[0].cells[0].textContent.trim()) table.classList.add("counted");
  };
  window.addEventListener("DOMContentLoaded", () => {
    for (const arrow of document.querySelectorAll("nav summary")) {
      const title = arrow.closest("li")?.querySelector("a")?.textContent.trim();
      arrow.setAttribute("aria-label", `Pages of ${title ?? "this part"}`);
    }
    for (const table of document.querySelectorAll("table.dataframe")) {
      if (table.tBodies[0]?.rows.length) set(table);
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

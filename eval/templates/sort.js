// Sorting of tables by their columns.
"use strict";

document.documentElement.classList.remove("plain");

for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  for (const head of heads) {
    head.querySelector("button")?.addEventListener("click", () => sort(table, heads, head));
  }
}

// The better end comes first; a second click turns the order around. Empty cells stay last.
function sort(table, heads, head) {
  const other = { ascending: "descending", descending: "ascending" };
  const order = other[head.ariaSort] ?? head.dataset.first;
  for (const each of heads) {
    if (each.ariaSort) each.ariaSort = each === head ? order : "none";
  }
  const sign = order === "ascending" ? 1 : -1;
  const key = (row) => row.cells[head.cellIndex].dataset.key;
  const rows = [...table.tBodies[0].rows].sort((a, b) => compare(key(a), key(b), sign));
  table.tBodies[0].append(...rows);
}

function compare(a, b, sign) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  const numbers = a !== "" && b !== "" && !isNaN(a) && !isNaN(b);
  return sign * (numbers ? a - b : a.localeCompare(b, "en", { numeric: true }));
}

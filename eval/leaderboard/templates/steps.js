// Plots and maps are one stop of the tab key each; arrow keys go from mark to mark. The mark under
// the pointer or the focus is read out in a tip.

const MARKS = "circle, tbody td[style], tbody td.none, td[data-other]";
const tip = document.getElementById("tip");
let shown = null;

for (const table of document.querySelectorAll("[data-steps]")) {
  for (const mark of table.querySelectorAll(MARKS)) mark.setAttribute("tabindex", "-1");
  table.querySelector(MARKS)?.setAttribute("tabindex", "0");
  table.addEventListener("keydown", (event) => step(table, event));
  table.addEventListener("focusin", (event) => enter(table, event.target));
  table.addEventListener("pointerover", (event) => point(event.target));
  table.addEventListener("pointerleave", hide);
  table.addEventListener("focusout", hide);
}

document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
// Focusing a mark may scroll to it, which must not take its tip away.
document.addEventListener("scroll", () => shown && place(shown), { capture: true, passive: true });

function step(table, event) {
  const mark = event.target.closest(MARKS);
  if (!mark) return;
  const rows = [...table.querySelectorAll("[data-step-row]")];
  const row = mark.closest("[data-step-row]");
  const marks = inOrder(row);
  const at = marks.indexOf(mark);
  const above = rows[rows.indexOf(row) - 1];
  const below = rows[rows.indexOf(row) + 1];
  const next = {
    ArrowLeft: marks[at - 1],
    ArrowRight: marks[at + 1],
    ArrowUp: above && nearest(above, mark),
    ArrowDown: below && nearest(below, mark),
    Home: marks[0],
    End: marks.at(-1),
  };
  if (!(event.key in next)) return;
  event.preventDefault();
  next[event.key]?.focus();
}

// From left to right: the cases of a box plot by their value, the cells of a map as they stand.
function inOrder(row) {
  const marks = [...row.querySelectorAll(MARKS)];
  return row.querySelector("circle") ? marks.sort((a, b) => left(a) - left(b)) : marks;
}

function nearest(row, mark) {
  const away = (other) => Math.abs(left(other) - left(mark));
  return inOrder(row).reduce((best, other) => (away(other) < away(best) ? other : best));
}

function left(mark) {
  return mark.getBoundingClientRect().left;
}

function enter(table, mark) {
  if (!mark.matches(MARKS)) return;
  table.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
  mark.setAttribute("tabindex", "0");
  show(mark);
}

function point(target) {
  const mark = target.closest(MARKS);
  if (mark) show(mark);
  else hide();
}

function show(mark) {
  shown = mark;
  tip.textContent = described(mark);
  tip.hidden = false;
  place(mark);
}

function place(mark) {
  const at = mark.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const x = at.left + at.width / 2 - size.width / 2;
  const room = document.documentElement.clientWidth - size.width - 8;
  tip.style.left = `${Math.max(8, Math.min(x, room))}px`;
  const above = at.top - size.height - 8;
  tip.style.top = `${above < 8 ? at.bottom + 8 : above}px`;
}

function hide() {
  shown = null;
  tip.hidden = true;
}

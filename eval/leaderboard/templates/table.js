// Filtering of the ranking.

const wanted = document.getElementById("filter");
const published = document.getElementById("published");
wanted?.addEventListener("input", filter);
published?.addEventListener("change", filter);

function filter() {
  const text = wanted.value.trim().toLowerCase();
  const rows = [...document.querySelectorAll("table.ranking tbody tr")];
  for (const row of rows) {
    const kind = published?.checked !== false || !row.classList.contains("published");
    row.hidden = !(kind && row.dataset.name.toLowerCase().includes(text));
  }
  const count = rows.filter((row) => !row.hidden).length;
  document.getElementById("shown").value =
    count === rows.length ? "" : `${count} of ${rows.length} rows`;
  document.getElementById("nothing").hidden = count > 0;
}

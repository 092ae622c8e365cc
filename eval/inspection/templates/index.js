// Filters the pairs; copies the methods.

const wanted = document.getElementById("filter");
const flag = document.getElementById("flag");

function filter() {
  const text = wanted.value.trim().toLowerCase();
  const rows = [...document.querySelectorAll("table.pairs tbody tr")];
  for (const row of rows) {
    const flagged = !flag?.value || row.dataset.flags.split(";").includes(flag.value);
    row.hidden = !(flagged && row.dataset.name.toLowerCase().includes(text));
  }
  const count = rows.filter((row) => !row.hidden).length;
  document.getElementById("shown").value =
    count === rows.length ? "" : `${count} of ${rows.length} pairs`;
}

wanted.addEventListener("input", filter);
flag?.addEventListener("change", filter);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.nextElementSibling.value = "copied";
  });
}

// One metric at a time, the heat map's colouring, manifests that open when they are linked to.

for (const group of document.querySelectorAll("[data-switch]")) {
  const key = group.dataset.switch;
  const show = () => {
    const chosen = group.querySelector("input:checked").value;
    for (const panel of document.querySelectorAll(`[data-panel^="${key}-"]`)) {
      panel.classList.toggle("away", panel.dataset.panel !== `${key}-${chosen}`);
    }
  };
  group.addEventListener("change", show);
  show();
}

document.getElementById("against")?.addEventListener("change", (event) => {
  document.getElementById("structures").classList.toggle("against", event.target.checked);
});

function openLinked() {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.matches("details")) target.open = true;
}
window.addEventListener("hashchange", openLinked);
openLinked();

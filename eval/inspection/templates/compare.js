// One image over the fixed one: flicker, checkerboard, blend.
"use strict";

document.documentElement.classList.remove("plain");

const over = document.getElementById("over");
const blend = document.getElementById("blend");
const FLICKER_MS = 600;
let flickering = null;

function still(name, plane) {
  return document.querySelector(`img[data-over="${name}"][data-plane="${plane}"]`);
}

function stack(place) {
  const under = still("fixed", place.dataset.plane).cloneNode();
  const upper = under.cloneNode();
  under.removeAttribute("data-over");
  upper.removeAttribute("data-over");
  upper.className = "over";
  upper.alt = "";
  place.append(under, upper);
}

function lay() {
  for (const place of document.querySelectorAll(".stack")) {
    const upper = place.querySelector(".over");
    upper.src = still(over.value, place.dataset.plane).src;
    upper.style.opacity = blend.value / 100;
  }
}

function flicker() {
  clearInterval(flickering);
  flickering = flickering ? null : setInterval(() => stacks.classList.toggle("under"), FLICKER_MS);
  stacks.classList.toggle("under", Boolean(flickering));
  document.getElementById("flicker").ariaPressed = String(Boolean(flickering));
}

function checkerboard() {
  const on = stacks.classList.toggle("checkered");
  document.getElementById("checkerboard").ariaPressed = String(on);
}

const stacks = document.getElementById("stacks");
if (stacks) {
  for (const place of stacks.children) stack(place);
  if (over.options.length > 1) over.selectedIndex = 1;
  lay();
  over.addEventListener("change", lay);
  blend.addEventListener("input", lay);
  document.getElementById("flicker").addEventListener("click", flicker);
  document.getElementById("checkerboard").addEventListener("click", checkerboard);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, canvas")) return;
    if (event.key === "f") flicker();
    if (event.key === "c") checkerboard();
  });
}

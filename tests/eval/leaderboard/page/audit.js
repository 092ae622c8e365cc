// What a page must have for everyone to use it: {faults: [sentence, ...], texts: how many were seen}.
// Contrast as in WCAG 2.2, relative luminance and 4.5:1.

const faults = [];
const seen = (element) => element.checkVisibility({ checkOpacity: true });
const all = (selector) => [...document.querySelectorAll(selector)];
const named = (element) =>
  (element.getAttribute("aria-label") ?? element.textContent).trim().length > 0;
const blame = (elements, sentence) =>
  elements.forEach((element) => faults.push(`${sentence}: ${element.outerHTML.slice(0, 120)}`));

function rgba(colour) {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data;
}

function luminance([r, g, b]) {
  const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

function background(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour[3] === 255) return colour;
    if (colour[3] > 0) faults.push(`half transparent background: ${at.outerHTML.slice(0, 120)}`);
  }
  return [255, 255, 255, 255];
}

function contrast(element) {
  const style = getComputedStyle(element);
  const ink = luminance(rgba(element.closest("svg") ? style.fill : style.color));
  const paper = luminance(background(element));
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const texts = new Set();
while (walker.nextNode()) {
  const parent = walker.currentNode.parentElement;
  const shown = walker.currentNode.data.trim() && seen(parent);
  // Hidden on purpose, and said by other means to those who see the page.
  if (shown && !parent.closest(".spoken, .heat td, script, style")) texts.add(parent);
}
blame([...texts].filter((element) => contrast(element) < 4.5), "contrast below 4.5:1");

if (document.documentElement.lang !== "en") faults.push("no language");
if (!document.title) faults.push("no title");
if (all("h1").length !== 1) faults.push("not one h1");
const levels = all("h1, h2, h3, h4").map((heading) => Number(heading.tagName[1]));
if (levels.some((level, i) => level > (levels[i - 1] ?? 0) + 1)) faults.push("a heading is skipped");
blame(all("button, a[href], summary").filter((e) => !named(e)), "no name");
blame(all("input").filter((e) => e.labels.length === 0), "no label");
blame(all("svg").filter((e) => !e.ariaHidden && !e.ariaLabel), "no text alternative");
blame(all("table").filter((e) => !e.caption?.textContent.trim()), "no caption");
blame(all("th").filter((e) => !["row", "col"].includes(e.scope)), "no scope");
blame(all("[role=region]").filter((e) => !(e.tabIndex === 0 && named(e))), "no keyboard or no name");
const ids = all("[id]").map((element) => element.id);
if (new Set(ids).size !== ids.length) faults.push("an id stands twice");
blame(all("a[href^='#']").filter((e) => !ids.includes(e.hash.slice(1))), "leads nowhere");
blame(
  all("[aria-labelledby]").filter((e) => !ids.includes(e.getAttribute("aria-labelledby"))),
  "labelled by nothing",
);
return { faults, texts: texts.size };

// The viewer: NiiVue and the pair's volumes are loaded when it is opened.

const opener = document.getElementById("open");
const state = document.getElementById("viewer-state");
const VIEWER_MISSING = "The viewer did not come with this report; the pictures above stay.";
const NO_WEBGL =
  "This browser offers no WebGL 2, which the viewer needs; the pictures above stay.";

function hasWebGl() {
  return Boolean(document.createElement("canvas").getContext("webgl2"));
}

function load(source) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = done;
    script.onerror = () => failed(new Error(source));
    document.head.append(script);
  });
}

async function openViewer() {
  if (!hasWebGl()) {
    state.textContent = NO_WEBGL;
    return;
  }
  opener.disabled = true;
  state.textContent = "Loading the volumes …";
  try {
    await load(opener.dataset.viewer);
    await load(opener.dataset.volumes);
    await show(globalThis.pairVolumes);
    state.textContent = "";
  } catch (error) {
    state.textContent = `${VIEWER_MISSING} (${error.message})`;
    opener.disabled = false;
  }
}

async function show(volumes) {
  document.getElementById("stage").hidden = false;
  const canvas = document.getElementById("canvas");
  const viewer = new niivue.Niivue({
    backColor: [0, 0, 0, 1],
    show3Dcrosshair: true,
    isResizeCanvas: true,
    dragAndDropEnabled: false,
    loadingText: "",
    logLevel: "silent",
  });
  await viewer.attachToCanvas(canvas);
  viewer.setInterpolation(false);
  viewer.setSliceType(niivue.SLICE_TYPE.MULTIPLANAR);
  viewer.onLocationChange = (place) => {
    document.getElementById("place").value = place.string;
  };
  for (const volume of volumes) {
    const image = await niivue.NVImage.loadFromBase64({
      base64: volume.data,
      name: `${volume.name}.nii.gz`,
      colormap: volume.colours,
      opacity: volume.opacity,
      cal_min: volume.low,
      cal_max: volume.high,
    });
    viewer.addVolume(image);
  }
  layers(viewer, volumes);
  canvas.addEventListener("keydown", (event) => move(viewer, event));
  globalThis.pairViewer = viewer;
  canvas.focus({ preventScroll: true });
}

// A slider of opacity for every layer.
function layers(viewer, volumes) {
  const list = document.getElementById("layers");
  for (const [index, volume] of volumes.entries()) {
    const label = document.createElement("label");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: 100, value: 100 * volume.opacity });
    slider.addEventListener("input", () => viewer.setOpacity(index, slider.value / 100));
    label.append(`${volume.name} `, slider);
    list.append(label);
  }
}

const MOVES = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowDown: [0, -1, 0],
  ArrowUp: [0, 1, 0],
  PageDown: [0, 0, -1],
  PageUp: [0, 0, 1],
};

function move(viewer, event) {
  const step = MOVES[event.key];
  if (!step) return;
  event.preventDefault();
  viewer.moveCrosshairInVox(...step);
}

opener?.addEventListener("click", openViewer);
if (opener && location.hash === "#viewer") openViewer();

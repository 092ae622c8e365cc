// The parts of NiiVue that a report's page uses.
export { Niivue, NVImage, SLICE_TYPE } from "@niivue/niivue";

// Stands in for zarrita, six tenths of NiiVue's size: a report has no Zarr volumes.
export {};

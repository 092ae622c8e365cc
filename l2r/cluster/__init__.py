"""Work for many items on the workers of dask.distributed, an optional extra."""

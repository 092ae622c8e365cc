"""Networks, losses and optimisers, in torch.

Inside this package a volume is `(batch, channel, x, y, z)` and a displacement field is
`(batch, 3, x, y, z)`, in voxels of the fixed grid, component `c` along array axis `c`:
`warped(p) = moving(p + u(p))`.
"""

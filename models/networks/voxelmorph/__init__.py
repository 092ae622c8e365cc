"""VoxelMorph as LUMIR's organisers published it, and as its own package has it."""

"""Commands about the segmentation of brains."""

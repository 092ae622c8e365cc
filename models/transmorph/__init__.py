"""TransMorph with a time-varying velocity field, the published baseline of LUMIR.

    config    the sizes of the network, and its entry in the catalogue (needs no torch)
    swin      the encoder: attention within shifted windows of the stacked pair
    tvf       the decoder blocks, and the loop that adds up one velocity per time step
    network   the whole: two volumes in, one displacement field out
    memory    activations recomputed instead of kept

Names and shapes of the parameters are those of the published weights, so these load as they are.
The network works at half the resolution of its images and warps with `models.spatial.warp_lumir`.

Source:
    Chen et al. (2022), TransMorph: Transformer for unsupervised medical image registration,
    Medical Image Analysis 82, doi:10.1016/j.media.2022.102615.
    Chen et al., LUMIR (Learn2Reg 2024) baseline: three levels, seven time steps.
"""

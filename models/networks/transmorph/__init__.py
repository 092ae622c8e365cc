"""TransMorph: a shifted-window transformer of the stacked pair, and what is read from it.

    lumir       three levels and time-varying velocities, the published baseline of LUMIR
    classic     the networks published for IXI and for OASIS
    tm_tvf      four levels and time-varying velocities, of the paper on them
    sizes       of all of these
    swin        the encoder: attention within shifted windows of tokens; windows cuts them
    decoder     blocks that double the resolution; four_levels joins encoder and decoder
    velocities  the loop that adds up one velocity per time step

Names and shapes of the parameters are those of the published weights, so these load as they are.
Networks that were trained with the biased warp `models.spatial.warp.warp_lumir` keep it inside.
"""

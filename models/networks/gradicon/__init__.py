"""uniGradICON: maps as functions of places, predicted by U-Nets from coarse to fine.

    network     the network and its configuration
    tree        registrations made of registrations; unet is what each leaf predicts with
    maps        places, the identity, displacement maps, composition
    preprocess  from a task's image to the one that the network sees
    conversion  from a map to a displacement field in voxels

Names and shapes of the parameters are those of the published weights, so these load as they are.
"""

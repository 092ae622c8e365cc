"""Pairs that are made up from label maps, so that anyone can train without private images.

Source:
    The idea is that of Hoffmann et al. (2022), SynthMorph, doi:10.1109/TMI.2021.3116879, and Billot
    et al. (2023), SynthSeg, doi:10.1016/j.media.2023.102789.
"""

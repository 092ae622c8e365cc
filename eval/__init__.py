"""The judge: scores a submission exactly as the organisers' scorer does, faults included.

Everything here is numpy and scipy; torch, the models and the pipeline are forbidden.
"""

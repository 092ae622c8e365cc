"""Phase congruency of an image in two dimensions: edges and lines, whatever their contrast.

Source:
    Kovesi (1999), Image features from phase congruency, Videre 1(3), in the form and with the
    constants that Zhang et al. (2011), doi:10.1109/TIP.2011.2109730, have it for FSIM.
"""

import math

import numpy as np
from jaxtyping import Complex128, Float, Float64

Spectrum = Complex128[np.ndarray, "x y"]
Frequencies = Float64[np.ndarray, "x y"]

_SCALES, _ORIENTATIONS = 4, 4
_SHORTEST, _RATIO = 6.0, 2.0
"""Wavelength of the finest filter in pixels, and that of each next one to the one before."""
_BANDWIDTH = 0.55
"""Deviation of a filter's Gaussian over the logarithm of frequency, as a share of its frequency."""
_SPREAD = math.pi / _ORIENTATIONS / 1.2
"""Deviation of a filter's Gaussian over angles."""
_NOISE = 2.0
"""Deviations of the noise's energy above its mean that are taken for noise."""
_CUTOFF, _ORDER = 0.45, 15
"""Of the low-pass filter that takes the corners of the spectrum off."""
_SMALL = 1e-4


def phase_congruency(image: Float[np.ndarray, "x y"]) -> Float64[np.ndarray, "x y"]:
    """Energy beyond noise over the sum of amplitudes, of log-Gabor filters of all orientations.

    Args:
        image: intensities from 0 to 255.

    Returns:
        From 0 to about 1; high where the phases of all scales agree.
    """
    spectrum = np.fft.fft2(image.astype(np.float64))
    radius, angle = _polar(spectrum.shape)
    radial = [_radial(radius, _SHORTEST * _RATIO**scale) for scale in range(_SCALES)]
    energies, amplitudes = np.zeros(spectrum.shape), np.zeros(spectrum.shape)
    for number in range(_ORIENTATIONS):
        spread = _angular(angle, number * math.pi / _ORIENTATIONS)
        energy, amplitude = _oriented(spectrum, [part * spread for part in radial])
        energies += energy
        amplitudes += amplitude
    return energies / (amplitudes + _SMALL)


def _oriented(
    spectrum: Spectrum, filters: list[Frequencies]
) -> tuple[Float64[np.ndarray, "x y"], Float64[np.ndarray, "x y"]]:
    """Energy above the noise of one orientation, and the sum of amplitudes over scales."""
    answers = [np.fft.ifft2(spectrum * part) for part in filters]
    amplitude: Float64[np.ndarray, "x y"] = np.sum([np.abs(answer) for answer in answers], axis=0)
    total = np.sum(answers, axis=0)
    direction = total / (np.abs(total) + _SMALL)
    energy = np.zeros(spectrum.shape)
    for answer in answers:
        along = answer.real * direction.real + answer.imag * direction.imag
        across = answer.real * direction.imag - answer.imag * direction.real
        energy += along - np.abs(across)
    return np.maximum(energy - _noise(answers[0], filters), 0), amplitude


def _noise(finest: Spectrum, filters: list[Frequencies]) -> float:
    """The energy that noise reaches, estimated from the median of the finest filter's answer."""
    size = math.sqrt(finest.size)
    mean_square = -np.median(np.abs(finest) ** 2) / math.log(0.5)
    power = mean_square / (filters[0] ** 2).sum()
    kernels = [np.fft.ifft2(part).real * size for part in filters]
    squares = sum(float((kernel**2).sum()) for kernel in kernels)
    products = sum(
        float((one * other).sum())
        for place, one in enumerate(kernels)
        for other in kernels[place + 1 :]
    )
    deviation = math.sqrt((2 * power * squares + 4 * power * products) / 2)
    mean = deviation * math.sqrt(math.pi / 2)
    return (mean + _NOISE * math.sqrt((2 - math.pi / 2) * deviation**2)) / 1.7


def _polar(shape: tuple[int, ...]) -> tuple[Frequencies, Frequencies]:
    """Frequency of each place of a spectrum in cycles per pixel, and its direction."""
    rows, columns = (_frequencies(size) for size in shape)
    x, y = np.meshgrid(columns, rows)
    radius = np.hypot(x, y)
    return radius, np.arctan2(-y, x)


def _frequencies(size: int) -> Float64[np.ndarray, " size"]:
    """In cycles per pixel, as Kovesi has them: an odd size reaches one half at both ends."""
    half = size // 2
    span = size if size % 2 == 0 else size - 1
    return np.fft.ifftshift((np.arange(size) - half) / span)


def _radial(radius: Frequencies, wavelength: float) -> Frequencies:
    """A Gaussian over the logarithm of frequency, without the mean and the corners."""
    known = radius.copy()
    known[0, 0] = 1.0
    gabor = np.exp(-(np.log(known * wavelength) ** 2) / (2 * math.log(_BANDWIDTH) ** 2))
    gabor *= 1 / (1 + (radius / _CUTOFF) ** (2 * _ORDER))
    gabor[0, 0] = 0.0
    return gabor


def _angular(angle: Frequencies, direction: float) -> Frequencies:
    sine = np.sin(angle) * math.cos(direction) - np.cos(angle) * math.sin(direction)
    cosine = np.cos(angle) * math.cos(direction) + np.sin(angle) * math.sin(direction)
    return np.exp(-(np.arctan2(sine, cosine) ** 2) / (2 * _SPREAD**2))

"""What a network may see instead of the log-mel spectrogram, computed inside it, and one small network for all of them.

Functions take levels [batch, frames, 128, 1]: log-mel above DEPTH below the window's maximum, 12.5 frames a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras
from scipy import ndimage

from stream_analyzer.analysis.features import SPEC
from training.genre.task import EVERY
from training.nets.blocks import convolve, relative_level

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.types import F32

FRAMES_PER_SECOND = SPEC.frames_per_second / EVERY
DEPTH = 17.0  # natural-log units below a window's maximum that are seen, as by the model that ships
COEFFICIENTS = 40
# Per-channel energy normalisation as published (Wang et al. 2017), for power relative to the window's maximum.
PCEN_SMOOTHING_S, PCEN_FLOOR, PCEN_ALPHA, PCEN_DELTA, PCEN_POWER = 0.4, 1e-6, 0.98, 2.0, 0.5
MEDIAN_FRAMES, MEDIAN_BANDS = 17, 17
DELTA_FRAMES = 9


def log_mel(level: tf.Tensor) -> tf.Tensor:
    """Return the level as it is."""
    return level


def pcen(level: tf.Tensor) -> tf.Tensor:
    """Divide each band by its own recent past, then compress (per-channel energy normalisation)."""
    power = tf.exp(level - DEPTH)
    past = tf.einsum("st,btfc->bsfc", smoothing(level.shape[1]), power)
    return (power / (PCEN_FLOOR + past) ** PCEN_ALPHA + PCEN_DELTA) ** PCEN_POWER - PCEN_DELTA**PCEN_POWER


def smoothing(frames: int) -> F32:
    """Return the matrix [frames, frames] of a first-order low-pass along time that begins at rest in frame 0."""
    step = 1.0 - float(np.exp(-1.0 / (PCEN_SMOOTHING_S * FRAMES_PER_SECOND)))
    past = np.arange(frames)[:, None] - np.arange(frames)
    weights = np.where(past >= 0, step * (1.0 - step) ** np.maximum(past, 0), 0.0)
    weights[:, 0] = (1.0 - step) ** np.arange(frames)
    return weights.astype(np.float32)


def mfcc(level: tf.Tensor) -> tf.Tensor:
    """Return the first cepstral coefficients: a cosine transform along the bands."""
    coefficients = tf.signal.mfccs_from_log_mel_spectrograms(level[..., 0])
    return coefficients[..., :COEFFICIENTS, None]


def harmonic_percussive(level: tf.Tensor) -> tf.Tensor:
    """Split into what lasts and what strikes, by medians along time and along bands (Fitzgerald 2010): two channels."""
    lasting, striking = (
        tf.ensure_shape(tf.numpy_function(median, [level[..., 0], axis, size], tf.float32), level.shape[:3])
        for axis, size in ((1, MEDIAN_FRAMES), (2, MEDIAN_BANDS))
    )
    share = tf.sigmoid(2.0 * (lasting - striking))  # a Wiener mask of powers: h^2 / (h^2 + p^2)
    power = tf.exp(level[..., 0] - DEPTH)
    parts = tf.stack([power * share, power * (1.0 - share)], axis=-1)
    return tf.nn.relu(tf.math.log(parts + 1e-12) + DEPTH)


def median(level: F32, axis: int, size: int) -> F32:
    """Return the running median of ``size`` values of ``level`` [batch, frames, bands] along one axis.

    In one row, with the ends of each line repeated between them: scipy's filter is five times as fast in one dimension.
    """
    reach = size // 2
    lines = np.moveaxis(level, axis, -1)
    padded = np.pad(lines, [(0, 0), (0, 0), (reach, reach)], mode="edge")
    found = ndimage.median_filter(padded.ravel(), size).reshape(padded.shape)[..., reach:-reach]
    return np.ascontiguousarray(np.moveaxis(found, -1, axis))


def with_delta(level: tf.Tensor) -> tf.Tensor:
    """Add the slope along time, a least-squares line over 0.7 s: two channels."""
    reach = DELTA_FRAMES // 2
    line = np.arange(-reach, reach + 1, dtype=np.float32)
    kernel = (line / (line @ line)).reshape(-1, 1, 1, 1)
    padded = tf.pad(level, [[0, 0], [reach, reach], [0, 0], [0, 0]], "SYMMETRIC")
    return tf.concat([level, tf.nn.conv2d(padded, kernel, strides=1, padding="VALID")], axis=-1)


INPUTS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "log-mel": log_mel,
    "PCEN": pcen,
    "MFCC": mfcc,
    "harmonic-percussive": harmonic_percussive,
    "mel + delta": with_delta,
}


def small_net(represent: Callable[[tf.Tensor], tf.Tensor], *, frames: int, size: int) -> keras.Model:
    """Build the network: the same for each input but for the shape that it begins with."""
    window = keras.Input((frames, SPEC.n_mels, 1), name="window")
    level = relative_level(window, depth=DEPTH)
    seen = keras.layers.Lambda(represent)(level)
    bands, channels = seen.shape[2], seen.shape[3]
    flat = keras.layers.Reshape((frames, 1, bands * channels))(seen)
    x = keras.layers.Reshape((frames, bands, channels))(keras.layers.BatchNormalization()(flat))
    x = keras.layers.AveragePooling2D((3, 1))(x)
    x = convolve(x, 16, (3, 5), strides=(1, 2))
    x = convolve(x, 32, (3, 3), strides=(2, 2))
    x = convolve(x, 64, (3, 3), strides=(2, 2))
    mean = keras.layers.AveragePooling2D((x.shape[1], 1))(x)
    peak = keras.layers.MaxPooling2D((x.shape[1], 1))(x)
    x = keras.layers.Flatten()(keras.layers.Concatenate()([mean, peak]))
    x = keras.layers.Dropout(0.3)(x)
    return keras.Model(window, keras.layers.Dense(size)(keras.layers.Dense(96, activation="relu")(x)))

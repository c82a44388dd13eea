"""Train, export and evaluate the models: prepare -> train -> export -> evaluate. Needs the `train` extra."""

import os

# Before any import of TensorFlow: model optimization knows Keras 2 alone.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

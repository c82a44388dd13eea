"""The exception tree. The command line turns each into one line and its exit code.

StreamAnalyzerError
|-- ConfigError          a setting is wrong                              exit 2
|-- AudioError           sound can't be read                             exit 3
|   |-- DeviceNotFound   no such device                                  exit 2
|   |-- DeviceLost       the device stopped delivering
|   `-- BrokenOff        a file is damaged, but some of it was read
|-- ModelError           a model can't be used                           exit 4
|   |-- ManifestError    its manifest is missing or malformed
|   `-- FeatureMismatch  it was made for another feature definition
|-- ProtocolError        a peer sent what the protocol does not allow
`-- LogError             the set log can't be used
"""

from __future__ import annotations


class StreamAnalyzerError(Exception):
    """Base of every error that a user can do something about."""

    exit_code = 1


class ConfigError(StreamAnalyzerError):
    """A setting, argument, address or port is wrong."""

    exit_code = 2


class AudioError(StreamAnalyzerError):
    """Sound can't be read: no audio library, unreadable file, failing device."""

    exit_code = 3


class DeviceNotFound(AudioError):
    """No sound device has this index or name: a wrong setting, like any other."""

    exit_code = 2


class DeviceLost(AudioError):
    """The sound device stopped delivering."""


class BrokenOff(AudioError):
    """A sound file is damaged or incomplete; what could be read of it has been given."""


class ModelError(StreamAnalyzerError):
    """A model is missing, altered, or can't run."""

    exit_code = 4


class ManifestError(ModelError):
    """A manifest is missing, malformed, or lacks a field."""


class FeatureMismatch(ModelError):
    """A model was made for another feature definition."""


class ProtocolError(StreamAnalyzerError):
    """A peer sent what the protocol does not allow."""


class LogError(StreamAnalyzerError):
    """The set log, or a set in it, can't be used."""

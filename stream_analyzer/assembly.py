"""The parts that the settings ask for: models, source, sinks. What a part imports waits until it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.system.address import is_url
from stream_analyzer.types import Level, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.serving.mqtt.sink import MqttSink
    from stream_analyzer.serving.osc import OscSink
    from stream_analyzer.sets.log import SetLog
    from stream_analyzer.settings.config import Settings
    from stream_analyzer.sound.source import AudioSource

_DEFAULT_RATE_HZ = 44_100
_DEFAULT_CHANNELS = 2


def load_heads(settings: Settings) -> list[Head]:
    """Return the heads whose models are in the chosen folder."""
    from stream_analyzer.analysis import heads  # noqa: PLC0415
    from stream_analyzer.system.resources import resource_folder  # noqa: PLC0415

    return heads.load_heads(settings.models or resource_folder("models"), tempo_range=settings.tempo_range)


def choose_source(settings: Settings, *, attended: bool, note: Callable[[str], None]) -> AudioSource:
    """Return where the sound comes from; ``note`` is told when that is not what was hoped for.

    Without a device, a start that is ``attended`` by a person gets the demo or an error at once; a start by itself, or
    for other machines, waits for the device: it may come up later than the program, and the demo is no live sound.
    The input ``any`` asks for the demo in that case, however the program was started.
    """
    from stream_analyzer.sound.files import FileSource  # noqa: PLC0415
    from stream_analyzer.sound.pcm import PcmSource  # noqa: PLC0415
    from stream_analyzer.system.resources import DEMO_FILE  # noqa: PLC0415

    demo = FileSource(DEMO_FILE, speed=settings.speed, repeat=settings.speed > 0.0, kind="demo")
    match settings.input:
        case "auto" | "any" | "device":
            from stream_analyzer.sound.device.portaudio import list_devices  # noqa: PLC0415
            from stream_analyzer.sound.device.search import find_device  # noqa: PLC0415
            from stream_analyzer.sound.device.source import DeviceSource  # noqa: PLC0415

            if not settings.device and (settings.input == "any" or (settings.input == "auto" and attended)):
                try:
                    find_device("", list_devices())
                except AudioError as error:
                    note(f"No sound device ({error}); playing the bundled demo set instead")
                    return demo
            return DeviceSource(
                settings.device,
                rate_hz=settings.rate,
                channels=settings.channels,
                listen_to=settings.channel,
                patient=not attended,
            )
        case "demo":
            return demo
        case "-":
            return PcmSource(
                rate_hz=settings.rate or _DEFAULT_RATE_HZ,
                channels=settings.channels or _DEFAULT_CHANNELS,
                sample_format=settings.format,
            )
        case url if is_url(url):
            from stream_analyzer.sound.network.source import NetworkSource  # noqa: PLC0415

            return NetworkSource(
                url,
                rate_hz=settings.rate,
                channels=settings.channels,
                listen_to=settings.channel,
                patient=not attended,
            )
        case name:
            return FileSource(Path(name), speed=settings.speed, kind="file")


def mqtt_sink(settings: Settings, heads: Sequence[Head]) -> MqttSink | None:
    """Return what publishes the events of ``heads`` to a broker, if one is set."""
    if not settings.mqtt:
        return None
    from stream_analyzer.serving.mqtt.sink import MqttSink  # noqa: PLC0415 - costs 61 ms
    from stream_analyzer.serving.mqtt.tls import tls_context  # noqa: PLC0415
    from stream_analyzer.settings.node import node  # noqa: PLC0415

    files = {"ca": settings.mqtt_ca, "certificate": settings.mqtt_cert, "key": settings.mqtt_key}
    return MqttSink(
        settings.mqtt,
        node=node(settings),
        discovery_prefix=settings.mqtt_discovery,
        tls=tls_context(**files) if settings.mqtt.tls else None,
        user=settings.mqtt_user,
        password=settings.mqtt_password,
        also=settings.mqtt_also,
        events=(*(head.event for head in heads), Level, Status),
    )


def osc_sink(settings: Settings) -> OscSink | None:
    """Return what sends OSC, if a receiver is set."""
    if not settings.osc:
        return None
    from stream_analyzer.serving.osc import OscSink  # noqa: PLC0415

    return OscSink(settings.osc)


def log_file(settings: Settings) -> Path | None:
    """Return the file of the set log, None if none is kept. Raises `ConfigError` where there is no place for it."""
    from stream_analyzer.settings.config import state_folder  # noqa: PLC0415

    if settings.log == "off":
        return None
    return Path(settings.log) if settings.log else state_folder() / "sets.sqlite"


def set_log(settings: Settings, *, note: Callable[[str], None]) -> SetLog | None:
    """Return what keeps the sets, if they are kept; a user without a home, as some services are, has no log."""
    from stream_analyzer.sets.log import SetLog  # noqa: PLC0415

    try:
        path = log_file(settings)
    except ConfigError:
        note("No set is kept, for this user has no home; name a file with --log, or say --log off")
        return None
    return SetLog(path, days=settings.log_days, megabytes=settings.log_mb) if path else None

"""The parts that the settings ask for: models, source, sinks. What a part imports waits until it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.settings.inputs import NamedInput
from stream_analyzer.system.address import is_url
from stream_analyzer.types import Level, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.listening import Input
    from stream_analyzer.serving.clocks.link import LinkSink
    from stream_analyzer.serving.clocks.midi import MidiSink
    from stream_analyzer.serving.mqtt.sink import MqttSink
    from stream_analyzer.serving.osc import OscSink
    from stream_analyzer.sets.log import SetLog
    from stream_analyzer.settings.config import Settings
    from stream_analyzer.sound.device.portaudio import Library
    from stream_analyzer.sound.source import AudioSource
    from stream_analyzer.sound.split import SplitSource

_DEFAULT_RATE_HZ = 44_100
_DEFAULT_CHANNELS = 2


def load_heads(settings: Settings) -> list[Head]:
    """Return the heads whose models are in the chosen folder."""
    from stream_analyzer.analysis import heads  # noqa: PLC0415
    from stream_analyzer.system.resources import resource_folder  # noqa: PLC0415

    return heads.load_heads(settings.models or resource_folder("models"), tempo_range=settings.tempo_range)


def load_all_heads(settings: Settings) -> dict[str, list[Head]]:
    """Return heads of its own for each input, their models verified by their golden output. Raises `ModelError`."""
    found = {
        one.name: load_heads(replace(settings, inputs=(), **one.own)) for one in settings.inputs or (NamedInput(),)
    }
    for heads in found.values():
        for head in heads:
            if head.model:
                head.model.verify()
    return found


def choose_source(
    settings: Settings, *, attended: bool, note: Callable[[str], None], library: Library | None = None
) -> AudioSource:
    """Return where the sound comes from; ``note`` is told when that is not what was hoped for.

    Without a device, a start that is ``attended`` by a person gets the demo or an error at once; a start by itself, or
    for other machines, waits for the device: it may come up later than the program, and the demo is no live sound.
    The input ``any`` asks for the demo in that case, however the program was started. Sources that run together have
    the same ``library``.
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
                library=library,
            )
        case "demo":
            return demo
        case "-":
            return PcmSource(
                rate_hz=settings.rate or _DEFAULT_RATE_HZ,
                channels=settings.channels or _DEFAULT_CHANNELS,
                sample_format=settings.format,
            )
        case name if name == "phone" or is_url(name):
            return _over_the_network(settings, attended=attended)
        case name:
            return FileSource(Path(name), speed=settings.speed, kind="file")


def _over_the_network(settings: Settings, *, attended: bool) -> AudioSource:
    from stream_analyzer.sound.network.source import NetworkSource  # noqa: PLC0415
    from stream_analyzer.sound.phone import PhoneSource  # noqa: PLC0415

    if settings.input == "phone":
        return PhoneSource()
    return NetworkSource(
        settings.input,
        rate_hz=settings.rate,
        channels=settings.channels,
        listen_to=settings.channel,
        patient=not attended,
    )


def make_inputs(settings: Settings, *, attended: bool, note: Callable[[str], None]) -> list[Input]:
    """Return the inputs, each with heads of its own; nothing is opened yet."""
    from stream_analyzer.listening import Input  # noqa: PLC0415

    named = settings.inputs or (NamedInput(),)
    for receiver in settings.osc:
        if receiver.input and receiver.input not in [one.name for one in named]:
            known = ", ".join(one.name for one in named)
            msg = (
                f"osc = {receiver}{receiver.pattern}?input={receiver.input}: there is no such input; known are {known}"
            )
            raise ConfigError(msg)

    def choose(own: Settings, library: Library) -> AudioSource:
        return choose_source(own, attended=attended, note=note, library=library)

    sources = _Sources(settings, named, choose)
    inputs = []
    for place, one in enumerate(named):
        own, name = replace(settings, inputs=(), **one.own), one.name if len(named) > 1 else ""
        heads = load_heads(own)
        mqtt, osc = mqtt_sink(own, heads, input_name=name), osc_sink(own, input_name=name, first=place == 0)
        source = sources.of(one)
        channel = None if one.channels else own.channel
        clocks = clock_sinks(own) if place == 0 else ()
        inputs.append(Input(one.name, source, heads, channel=channel, mqtt=mqtt, osc=osc, clocks=clocks))
    return inputs


def clock_sinks(settings: Settings) -> list[MidiSink | LinkSink]:
    """Return what makes a clock of the beats, where one is set."""
    clocks: list[MidiSink | LinkSink] = []
    if settings.midi:
        from stream_analyzer.serving.clocks.midi import MidiSink  # noqa: PLC0415

        clocks.append(MidiSink(settings.midi))
    if settings.link:
        from stream_analyzer.serving.clocks.link import LinkSink  # noqa: PLC0415

        clocks.append(LinkSink())
    return clocks


class _Sources:
    """Makes the source of each input. State: PortAudio as all share it, and the sources that several inputs hear."""

    def __init__(
        self, settings: Settings, named: Sequence[NamedInput], choose: Callable[[Settings, Library], AudioSource]
    ) -> None:
        from stream_analyzer.sound.device.portaudio import Library  # noqa: PLC0415

        self._settings, self._named, self._choose = settings, named, choose
        self._library = Library()
        self._splits: dict[str, SplitSource] = {}

    def of(self, one: NamedInput) -> AudioSource:
        """Return the source of an input, or its channels of one that is captured once for all who hear it."""
        from stream_analyzer.sound.split import Share, SplitSource  # noqa: PLC0415

        own, key = replace(self._settings, inputs=(), **one.own), _what(one)
        together = [other for other in self._named if _what(other) == key]
        if len(together) == 1 and not one.channels:
            return self._choose(own, self._library)
        if key not in self._splits:
            last = max((other.channels[1] for other in together if other.channels), default=None)
            captured = replace(own, channel=None, channels=own.channels or last)
            self._splits[key] = SplitSource(self._choose(captured, self._library))
        return Share(self._splits[key], one.channels)


def _what(one: NamedInput) -> str:
    """Return what two inputs have in common that hear the same source."""
    return repr(sorted((key, value) for key, value in one.own.items() if key != "tempo_range"))


def mqtt_sink(settings: Settings, heads: Sequence[Head], *, input_name: str = "") -> MqttSink | None:
    """Return what publishes the events of ``heads`` to a broker, if one is set; of several inputs each has its own."""
    if not settings.mqtt:
        return None
    from stream_analyzer.serving.mqtt.sink import MqttSink  # noqa: PLC0415 - costs 61 ms
    from stream_analyzer.serving.mqtt.tls import tls_context  # noqa: PLC0415
    from stream_analyzer.settings.node import node  # noqa: PLC0415

    files = {"ca": settings.mqtt_ca, "certificate": settings.mqtt_cert, "key": settings.mqtt_key}
    return MqttSink(
        settings.mqtt,
        node="/".join(filter(None, (node(settings), input_name))),
        discovery_prefix=settings.mqtt_discovery,
        tls=tls_context(**files) if settings.mqtt.tls else None,
        user=settings.mqtt_user,
        password=settings.mqtt_password,
        also=settings.mqtt_also,
        events=(*(head.event for head in heads), Level, Status),
    )


def osc_sink(settings: Settings, *, input_name: str = "", first: bool = True) -> OscSink | None:
    """Return what sends OSC, if there is a receiver for this input."""
    # An address of the receiver's own holds one number: that of the input it names, or of the first.
    receivers = [one for one in settings.osc if not one.pattern or (one.input == input_name if one.input else first)]
    if not receivers:
        return None
    from stream_analyzer.serving.osc import OscSink  # noqa: PLC0415

    return OscSink(receivers, input_name=input_name)


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

"""What is fuzzed: one function a reader, which takes any bytes and raises where that reader does what it never may.

A reader may refuse with its own error; any other exception, a hang or a crash is a finding. Where the right answer
can be known without the reader (an answer without a token holds nothing of the sound), the harness holds it to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fuzz import files, radio, talk

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Harness:
    """One reader: what runs on any bytes, and bytes to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


HARNESSES: dict[str, Harness] = {
    "wire": Harness(talk.wire, talk.wire_seeds),
    "subscription": Harness(talk.subscription, talk.subscription_seeds),
    "request": Harness(talk.request, talk.request_seeds),
    "address": Harness(talk.address, talk.address_seeds),
    "settings": Harness(files.settings, files.settings_seeds),
    "manifest": Harness(files.manifest, files.manifest_seeds),
    "model_file": Harness(files.model_file, files.model_seeds),
    "sound_file": Harness(files.sound_file, files.sound_seeds),
    "standard_input": Harness(files.standard_input, files.standard_input_seeds),
    "station": Harness(radio.station, radio.station_seeds),
    "phone": Harness(radio.phone, radio.phone_seeds),
    "fma_tables": Harness(files.fma_tables, files.fma_seeds),
}

"""Receives OSC as a desk would: a speed for the fader, and whether to trust it. Needs python-osc."""

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer


def speed(_address, bpm):
    print(f"speed {bpm:.1f} BPM", flush=True)


def state(_address, what, detail):
    print(f"analyzer: {what} {detail}", flush=True)


desk = Dispatcher()
desk.map("/stream_analyzer/bpm", speed)
desk.map("/stream_analyzer/status", state)
BlockingOSCUDPServer(("127.0.0.1", 9000), desk).serve_forever()

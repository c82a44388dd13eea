"""Which device is the one that was asked for: at the start, and after a loss among what is here then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_analyzer.errors import AudioError, DeviceLost, DeviceNotFound
from stream_analyzer.sound.device.search import Device, find_again, find_device


def device(index: int, name: str, *, host_api: str = "ALSA", default: bool = False) -> Device:
    return Device(index, name, host_api, channels=2, rate_hz=48_000, default=default)


BUILT_IN = device(0, "HDA Intel: ALC (hw:0,0)", default=True)
USB = device(1, "USB Audio CODEC: - (hw:1,0)")


def test_a_name_with_an_old_card_number_still_finds_its_device() -> None:
    assert find_device("USB Audio CODEC: - (hw:3,0)", [BUILT_IN, USB]) == USB
    assert find_device("Microphone (USB Audio)", [device(0, "Microphone (2- USB Audio)")]).index == 0


def test_a_card_number_alone_is_taken_at_its_word() -> None:
    assert find_device("(hw:1,0)", [BUILT_IN, USB]) == USB
    with pytest.raises(DeviceNotFound, match="inputs here: 0 HDA Intel"):
        find_device("(hw:2,0)", [BUILT_IN, USB])


def test_no_input_at_all_is_no_wrong_setting() -> None:
    for wanted in ("", "USB", "3"):
        with pytest.raises(AudioError) as caught:
            find_device(wanted, [])
        assert caught.value.exit_code == 3


def test_monitors_are_known_by_their_names() -> None:
    names = ("Monitor of Built-in Audio", "alsa_output.pci.monitor", "BlackHole 2ch", "Speakers (Realtek) [Loopback]")
    assert all(device(0, name).monitors for name in (*names, "Stereo Mix (Realtek)", "CABLE Output (VB-Audio)"))
    assert not any(device(0, name).monitors for name in ("Webcam of a Dell Monitor", USB.name, BUILT_IN.name))


@pytest.mark.parametrize("wanted", ["USB Audio", "1", "USB Audio CODEC: - (hw:1,0)"])
def test_it_comes_back_under_another_card_number_and_index(wanted: str) -> None:
    back = replace(USB, index=4, name="USB Audio CODEC: - (hw:2,0)", rate_hz=44_100, channels=1)
    assert find_again(wanted, USB, [BUILT_IN, USB], [BUILT_IN, device(1, "Webcam: - (hw:1,0)"), back]) == back


def test_windows_counts_ports_in_front_of_the_name() -> None:
    lost = device(0, "Microphone (USB Audio)", host_api="Windows WASAPI")
    mme, back = (
        device(0, "Microphone (3- USB Audio)", host_api="MME"),
        device(1, "Microphone (3- USB Audio)", host_api="Windows WASAPI"),
    )
    assert find_again("USB", lost, [lost], [mme, back]) == back


def test_under_another_host_api_it_is_not_taken() -> None:
    lost = device(0, "USB Audio", host_api="Windows WASAPI")
    with pytest.raises(DeviceLost, match="device USB Audio is gone; inputs here: 0 USB Audio"):
        find_again("USB Audio", lost, [lost], [device(0, "USB Audio", host_api="MME")])


def test_what_was_beside_it_is_never_taken_for_it() -> None:
    other = device(2, "USB Audio Interface")
    for wanted in ("USB", ""):
        with pytest.raises(DeviceLost, match="is gone; inputs here"):
            find_again(wanted, USB, [BUILT_IN, USB, other], [BUILT_IN, other])


def test_a_new_name_that_fits_is_taken_if_nothing_else_does() -> None:
    lost = device(1, "Headset (Stereo)")
    hands_free = device(3, "Headset (Hands-Free)")
    assert find_again("headset", lost, [BUILT_IN, lost], [BUILT_IN, hands_free]) == hands_free
    with pytest.raises(DeviceLost, match="2 may be it: 3 Headset"):
        find_again("headset", lost, [BUILT_IN, lost], [BUILT_IN, hands_free, device(4, "Headset 2")])
    with pytest.raises(DeviceLost, match="is gone"):
        find_again("1", lost, [BUILT_IN, lost], [BUILT_IN, hands_free])


def test_the_default_goes_over_to_nothing_but_a_new_default() -> None:
    new = device(1, "New Interface")
    with pytest.raises(DeviceLost, match="is gone"):
        find_again("", USB, [USB], [new])
    assert find_again("", USB, [USB], [replace(new, default=True)]).name == "New Interface"


@pytest.mark.parametrize("names", [("CODEC", "CODEC"), ("CODEC: - (hw:1,0)", "CODEC: - (hw:2,0)")])
def test_of_twins_neither_is_taken_for_the_other(names: tuple[str, str]) -> None:
    first, second = device(0, names[0]), device(1, names[1])
    for ours in (first, second):
        for left in (first, second):
            with pytest.raises(DeviceLost, match=r"of 2 devices named CODEC.* nothing tells which"):
                find_again("CODEC", ours, [first, second], [replace(left, index=0)])
        assert find_again("CODEC", ours, [first, second], [first, second]) == ours


def test_of_twins_that_both_get_new_numbers_the_order_decides() -> None:
    before = [device(0, "CODEC (hw:1,0)"), device(1, "CODEC (hw:2,0)")]
    now = [device(0, "CODEC (hw:3,0)"), device(1, "CODEC (hw:4,0)")]
    assert [find_again("CODEC", one, before, now) for one in before] == now


def test_where_two_come_for_one_the_whole_name_decides_or_nothing() -> None:
    lost = device(0, "CODEC (hw:1,0)")
    same, other = device(0, "CODEC (hw:1,0)"), device(1, "CODEC (hw:2,0)")
    assert find_again("CODEC", lost, [lost], [other, same]) == same
    with pytest.raises(DeviceLost, match=r"2 may be it: 1 CODEC.*disconnect the others"):
        find_again("CODEC", lost, [lost], [other, device(2, "CODEC (hw:3,0)")])

"""The harness's own instruments: that they find what is there, and do not find what is not."""

import struct

from lib import peers, tone
from lib.case import Case
from lib.lab import Failed, need


def tones(lab):
    recording = tone.write_tone(lab.folder / "tone.wav", 440, seconds=2)
    need(tone.seconds_of(recording, 440) == 2, "a clear tone of two seconds was not found whole")
    need(tone.seconds_of(recording, 620) == 0, "a tone was found where another one sounds")
    both = mixed(lab.folder / "both.wav", recording, tone.write_tone(lab.folder / "other.wav", 620, seconds=2))
    need(tone.seconds_of(both, 440, 620) == 2, "two tones together were not found whole")
    need(tone.seconds_of(both, 440) == 0, "a tone counts as clear beside another one")
    need(tone.seconds_of(both, 440, 830) == 0 == tone.seconds_of(recording, 440, 620), "two tones were found where one is")
    faint = tone.write_tone(lab.folder / "faint.wav", 440, seconds=2, amplitude=50)
    need(tone.seconds_of(faint, 440) == 0, "a tone was found in what is nearly silence")
    unfinished = lab.folder / "unfinished.wav"
    unfinished.write_bytes(recording.read_bytes()[:40] + struct.pack("<I", 0) + recording.read_bytes()[44:16044])
    need(tone.seconds_of(unfinished, 440) == 1, "a recording whose header was not finished was not read")


def mixed(path, one, other):
    """Writes the sum of two recordings of the same length."""
    sums = [a + b for a, b in zip(tone.read_samples(one)[0], tone.read_samples(other)[0])]
    path.write_bytes(one.read_bytes()[:44] + struct.pack(f"<{len(sums)}h", *sums))
    return path


def captures(lab):
    good = udp_capture(lab.folder / "good.pcap", b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n")
    sip, _ = peers.check_capture(lab, good)
    need(sip == 1, f"{sip} SIP frames were found, not one")
    must_fail(lab, udp_capture(lab.folder / "cut.pcap", b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", cut=9), "a cut frame")
    must_fail(lab, udp_capture(lab.folder / "sum.pcap", b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", checksum=1), "a wrong checksum")
    half_a_name = b"\0\1\1\0\0\1\0\0\0\0\0\0\x20short"
    must_fail(lab, udp_capture(lab.folder / "malformed.pcap", half_a_name, port=53), "half a DNS question")


def must_fail(lab, capture, what):
    try:
        peers.check_capture(lab, capture, least_sip=0)
    except Failed:
        return
    raise Failed(f"tshark was content with {what}")


def udp_capture(path, payload, port=5060, checksum=0, cut=0):
    """Writes a capture of one datagram; `cut` bytes of it are left out at its end."""
    udp = struct.pack(">HHHH", port, port, 8 + len(payload), checksum) + payload
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\2")
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    packet = header[:10] + struct.pack(">H", ~total & 0xFFFF) + header[12:] + udp
    raw_ip_link = 101
    file_header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, raw_ip_link)
    record = struct.pack("<IIII", 1, 0, len(packet) - cut, len(packet))
    path.write_bytes(file_header + record + packet[:len(packet) - cut])
    return path


CASES = [
    Case("instruments-tone", "tones are found by content, and only where they are", tones, ()),
    Case("instruments-tshark", "a capture with a fault is found out", captures, ("tshark",)),
]

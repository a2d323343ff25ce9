"""Makes WAV files that hold one tone, and finds tones in WAV files by their content (one bin of a Fourier transform)."""

import functools
import math
import operator
import struct
import wave

WINDOW_MS = 50
# G.711 and a lost packet or two leave a tone far above this share of a window's power; speech, noise,
# silence and another tone leave it far below.
SHARE_OF_POWER = 0.7
SILENCE_RMS = 100.0
# Of several tones together each must have at least this part of what an even mix would give it.
LEAST_PART = 0.5


def write_tone(path, hz, seconds, rate=8000, amplitude=8000):
    """Writes `seconds` of a sine at `hz` as 16-bit mono WAV."""
    # A whole number of periods fits into a second, so that one second is the pattern of all.
    second = [int(amplitude * math.sin(2 * math.pi * hz * n / rate)) for n in range(rate)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{rate}h", *second) * seconds)
    return path


def read_samples(path):
    """The samples of the first channel and the rate. A header with sizes of an unfinished file is accepted."""
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is no WAV file")
    at, channels, rate, body = 12, 1, 8000, b""
    while at + 8 <= len(data):
        kind, size = data[at:at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if kind == b"fmt ":
            _, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at + 8)
            if bits != 16:
                raise ValueError(f"{path} has {bits} bits a sample, not 16")
        if kind == b"data":
            body = data[at + 8:at + 8 + size] if size else data[at + 8:]
            break
        at += 8 + size + size % 2
    count = len(body) // 2
    samples = struct.unpack(f"<{count}h", body[:count * 2])
    return samples[::channels], rate


def share(samples, rate, hz):
    """The share (0 to 1) of the samples' power that lies at `hz`."""
    power = sum(map(operator.mul, samples, samples))
    if power == 0:
        return 0.0
    cosine, sine = waves(len(samples), rate, hz)
    real, imaginary = sum(map(operator.mul, samples, cosine)), sum(map(operator.mul, samples, sine))
    return 2 * (real * real + imaginary * imaginary) / (len(samples) * power)


@functools.cache
def waves(count, rate, hz):
    """`count` samples of the two waves at `hz` against which others are held."""
    angles = [2 * math.pi * hz * n / rate for n in range(count)]
    return [math.cos(angle) for angle in angles], [math.sin(angle) for angle in angles]


def seconds_of(path, *tones_hz):
    """How many seconds of the recording are these tones, all of them and clearly."""
    samples, rate = read_samples(path)
    width = rate * WINDOW_MS // 1000
    clear = 0
    for start in range(0, len(samples) - width + 1, width):
        window = samples[start:start + width]
        loud = math.sqrt(sum(map(operator.mul, window, window)) / width) > SILENCE_RMS
        shares = [share(window, rate, hz) for hz in tones_hz] if loud else [0.0]
        if sum(shares) >= SHARE_OF_POWER and min(shares) >= LEAST_PART * SHARE_OF_POWER / len(shares):
            clear += 1
    return clear * WINDOW_MS / 1000

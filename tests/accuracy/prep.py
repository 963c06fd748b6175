#!/usr/bin/python3
"""Writes the network inputs that the accuracy tests and docs/accuracy.md are made from.

  prep.py NET DATA OUT

NET is a row of NETS. DATA is a folder of photographs (256x256 or larger, '<class>_*.jpg'), for the audio net any path. OUT gets
{calib,eval}/<stem>.bin in float32, little-endian, NCHW. Every 4th picture of the sorted list, at most 64, is for calibration; the others,
at most 48, are for evaluation. The audio frames are made: smooth spectra with a seeded random walk over time.
"""
import os
import sys

import numpy
from PIL import Image

IMAGENET_MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32)
IMAGENET_STD = numpy.array([0.229, 0.224, 0.225], numpy.float32)

# net -> (width, height, function of RGB 0..255 as float32[H,W,3])
NETS = {
    'cifar': (32, 32, lambda x: x),
    'ultraface': (320, 240, lambda x: (x - 127) / 128),
    'yunet': (320, 320, lambda x: x[:, :, ::-1]),
    'ppocr_det': (320, 320, lambda x: (x / 255 - IMAGENET_MEAN) / IMAGENET_STD),
    'ppocr_cls': (192, 48, lambda x: (x / 255 - 0.5) / 0.5),
    'deeplab': (513, 513, lambda x: x / 127.5 - 1),
    'gray28': (28, 28, lambda x: x.mean(2, keepdims=True)),
}


def pictures(data):
    names = sorted(n for n in os.listdir(data) if n.lower().endswith(('.jpg', '.jpeg')))
    calibration = names[::4][:64]
    return calibration, [n for n in names if n not in set(calibration)][:48]


def audio(out):
    """40 clips of 8 frames 5x128: two formants that drift, over a floor, in the range of log-mel energies."""
    generator = numpy.random.RandomState(1)
    mel = numpy.arange(128)
    for part, clips in (('calib', 40), ('eval', 40)):
        for clip in range(clips):
            centers = generator.uniform(5, 120, 3)
            floor, level = generator.uniform(-11, -8), generator.uniform(2, 9, 3)
            columns = []
            for _ in range(5 + 8):
                centers += generator.normal(0, 0.7, 3)
                spectrum = floor + 0.02 * (64 - mel) + generator.normal(0, 0.35, 128)
                for center, height in zip(centers, level):
                    spectrum = spectrum + height * numpy.exp(-((mel - center) / 6) ** 2)
                columns.append(spectrum)
            frames = numpy.stack([numpy.concatenate(columns[i:i + 5]) for i in range(8)])
            for i, frame in enumerate(frames.astype('<f4')):
                frame.tofile(os.path.join(out, part, f'{clip:03}_{i}.bin'))


def main():
    net, data, out = sys.argv[1:]
    for part in ('calib', 'eval'):
        os.makedirs(os.path.join(out, part), exist_ok=True)
    if net == 'ad01':
        audio(out)
        return
    width, height, prepare = NETS[net]
    for part, names in zip(('calib', 'eval'), pictures(data)):
        for name in names:
            picture = Image.open(os.path.join(data, name)).convert('RGB').resize((width, height), Image.BILINEAR)
            tensor = prepare(numpy.asarray(picture, numpy.float32)).transpose(2, 0, 1)
            numpy.ascontiguousarray(tensor, '<f4').tofile(os.path.join(out, part, os.path.splitext(name)[0] + '.bin'))


if __name__ == '__main__':
    main()

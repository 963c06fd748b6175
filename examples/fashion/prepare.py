#!/usr/bin/env python3
"""Writes the network inputs of the Fashion-MNIST example: float32[1,1,28,28] of (x/255 - 0.2860)/0.3530, little-endian.

  prepare.py OUT [--data FOLDER]

OUT/calib/<n>.bin  200 training images, one per file (always the ones in data/ beside this script, so that every machine calibrates alike)
OUT/calib.bin      the same images in one file
OUT/eval.bin       the test images in one file: all 10,000 of Debian's dataset-fashion-mnist where it is installed, else the 500 in data/
OUT/labels.txt     one class number per image of eval.bin
OUT/eval_u8.bin    the test images as the camera would give them: uint8[1,28,28,1] each
Needs nothing but Python.
"""
import argparse
import gzip
import os
import struct

MEAN, STD = 0.2860, 0.3530
HERE = os.path.dirname(os.path.realpath(__file__))
DEBIAN = '/usr/share/datasets/fashion-mnist'
SUBSET = {'train': (200, 300), 't10k': (500, 20)}  # the images in data/: how many, and every which one


def read(folder, split):
    """The images of one IDX pair as bytes[784] each, and their labels."""
    with gzip.open(os.path.join(folder, f'{split}-images-idx3-ubyte.gz')) as f:
        pixels = f.read()[16:]
    with gzip.open(os.path.join(folder, f'{split}-labels-idx1-ubyte.gz')) as f:
        labels = list(f.read()[8:])
    return [pixels[i:i + 784] for i in range(0, len(pixels), 784)], labels


def write_subset(source, target):
    """Makes data/ from the full data set."""
    os.makedirs(target, exist_ok=True)
    for split, (count, step) in SUBSET.items():
        images, labels = (part[::step][:count] for part in read(source, split))
        for name, blob in ((f'{split}-images-idx3-ubyte.gz', struct.pack('>4I', 0x803, count, 28, 28) + b''.join(images)),
                           (f'{split}-labels-idx1-ubyte.gz', struct.pack('>2I', 0x801, count) + bytes(labels))):
            with open(os.path.join(target, name), 'wb') as f:
                f.write(gzip.compress(blob, 9, mtime=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out')
    parser.add_argument('--data', default=DEBIAN if os.path.isdir(DEBIAN) else os.path.join(HERE, 'data'), help='folder of the test images')
    parser.add_argument('--write-subset', action='store_true', help='OUT becomes a data/ folder, taken from the full set in --data')
    args = parser.parse_args()
    if args.write_subset:
        write_subset(args.data, args.out)
        return

    floats = [struct.pack('<f', (x / 255 - MEAN) / STD) for x in range(256)]
    tensor = lambda image: b''.join(floats[x] for x in image)
    calibration = [tensor(image) for image in read(os.path.join(HERE, 'data'), 'train')[0]]
    images, labels = read(args.data, 't10k')
    os.makedirs(os.path.join(args.out, 'calib'), exist_ok=True)
    for i, sample in enumerate(calibration):
        with open(os.path.join(args.out, 'calib', f'{i:03}.bin'), 'wb') as f:
            f.write(sample)
    for name, parts in (('calib.bin', calibration), ('eval.bin', map(tensor, images)), ('eval_u8.bin', images)):
        with open(os.path.join(args.out, name), 'wb') as f:
            f.writelines(parts)
    with open(os.path.join(args.out, 'labels.txt'), 'w', encoding='ascii') as f:
        f.writelines(f'{label}\n' for label in labels)
    print(f'{len(calibration)} calibration and {len(images)} test images in {args.out}')


if __name__ == '__main__':
    main()

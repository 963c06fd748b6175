#!/usr/bin/env python3
"""Turns a keyword-spotting sample set (mfcc_int8_49x10.bin, labels.csv) into float32 network inputs.

  prep_kws.py FOLDER OUT

A sample is 490 int8 numbers q; the network's input is (q - 83) * 0.584703 as float32[1,1,49,10], little-endian.
Every 5th sample (index % 5 == 0) goes to OUT/calib/<stem>.bin, the others to OUT/eval/<stem>.bin; OUT/labels.txt has '<stem> <class>'.
"""
import os
import struct
import sys

SCALE, ZERO_POINT, SAMPLE = 0.584703, 83, 490


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, out = sys.argv[1:]
    if not os.path.exists(os.path.join(folder, 'labels.csv')):
        print(f'skipped: no samples in {folder}')
        sys.exit(77)
    floats = [struct.pack('<f', ((b ^ 128) - 128 - ZERO_POINT) * SCALE) for b in range(256)]
    with open(os.path.join(folder, 'mfcc_int8_49x10.bin'), 'rb') as f:
        data = f.read()
    with open(os.path.join(folder, 'labels.csv'), encoding='ascii') as f:
        rows = [line.strip().split(',') for line in f if line.strip()]
    for part in ('calib', 'eval'):
        os.makedirs(os.path.join(out, part), exist_ok=True)
    with open(os.path.join(out, 'labels.txt'), 'w', encoding='ascii') as labels:
        for i, (name, label) in enumerate(rows):
            stem = os.path.splitext(name)[0]
            sample = data[i * SAMPLE:(i + 1) * SAMPLE]
            with open(os.path.join(out, 'calib' if i % 5 == 0 else 'eval', stem + '.bin'), 'wb') as f:
                f.write(b''.join(floats[b] for b in sample))
            labels.write(f'{stem} {label}\n')
    print(f'{len(rows)} samples in {out}')


if __name__ == '__main__':
    main()

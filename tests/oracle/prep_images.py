#!/usr/bin/python3
"""Turns a folder of labelled JPEGs into network inputs for calibration and evaluation.

  prep_images.py FOLDER OUT [--size 224]

Each picture: RGB, scaled so that its shorter side is size/0.875 (256 for 224; a 256x256 picture stays as it is), centre crop of
size x size, x/127.5 - 1, float32 little-endian NCHW, one OUT/{calib,eval}/<stem>.bin.
The sorted list is split by a fixed rule: every 4th picture (index % 4 == 0), at most 100, is for calibration, the rest for evaluation.
OUT/labels.txt has a line '<stem> <class>' per picture; the class is the number at the start of the file name.
"""
import argparse
import os
import subprocess
import sys


def import_pil():
    """Pillow and numpy of Debian; installed when this runs as root. Exit status 77 says why the script cannot run."""
    try:
        import numpy
        from PIL import Image
        return numpy, Image
    except ImportError:
        pass
    if os.geteuid() == 0 and os.path.exists('/usr/bin/apt-get') and 'OMKIT_PREP_RETRY' not in os.environ:
        subprocess.run('apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends'
                       ' python3-pil python3-numpy', shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        os.environ['OMKIT_PREP_RETRY'] = '1'
        os.execv('/usr/bin/python3', ['/usr/bin/python3', *sys.argv])
    print('skipped: python3-pil and python3-numpy are missing (apt-get install --no-install-recommends python3-pil python3-numpy)')
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('out')
    parser.add_argument('--size', type=int, default=224)
    args = parser.parse_args()
    if not os.path.isdir(args.folder):
        print(f'skipped: no pictures in {args.folder}')
        sys.exit(77)
    numpy, Image = import_pil()

    names = sorted(n for n in os.listdir(args.folder) if n.lower().endswith(('.jpg', '.jpeg')))
    calibration = set(names[::4][:100])
    parts = {'calib': [n for n in names if n in calibration], 'eval': [n for n in names if n not in calibration]}
    for part in parts:
        os.makedirs(os.path.join(args.out, part), exist_ok=True)
    with open(os.path.join(args.out, 'labels.txt'), 'w', encoding='ascii') as labels:
        for part, members in parts.items():
            for name in members:
                stem = os.path.splitext(name)[0]
                picture = Image.open(os.path.join(args.folder, name)).convert('RGB')
                short = round(args.size / 0.875)
                scale = short / min(picture.size)
                if scale != 1:
                    picture = picture.resize([max(short, round(s * scale)) for s in picture.size], Image.BILINEAR)
                left, top = ((s - args.size) // 2 for s in picture.size)
                pixels = numpy.asarray(picture.crop((left, top, left + args.size, top + args.size)), numpy.float32)
                tensor = numpy.ascontiguousarray((pixels / 127.5 - 1).transpose(2, 0, 1), '<f4')
                tensor.tofile(os.path.join(args.out, part, stem + '.bin'))
                labels.write(f'{stem} {int(stem.split("_")[0])}\n')
    print(f'{len(parts["calib"])} calibration and {len(parts["eval"])} evaluation samples of 1x3x{args.size}x{args.size} in {args.out}')


if __name__ == '__main__':
    main()

#!/usr/bin/env python3
"""Packs the Python packages, the extension module and libascendcl as a wheel (PEP 427). Equal files give an equal wheel."""
import argparse
import base64
import hashlib
import os
import zipfile

ROOT = 'tools/python/'
METADATA = '''Metadata-Version: 2.1
Name: omkit
Version: {version}
Summary: Offline models (.om) from ONNX networks on CPUs: pyACL, InferSession and ais_bench
Requires-Python: >=3.8
Requires-Dist: numpy
'''
WHEEL = '''Wheel-Version: 1.0
Generator: omkit
Root-Is-Purelib: false
Tag: {tag}
'''


def main():
    p = argparse.ArgumentParser()
    for option in ('out', 'suffix', 'extension', 'library'):
        p.add_argument('--' + option, required=True)
    p.add_argument('sources', nargs='+')
    args = p.parse_args()
    _, version, tag = os.path.basename(args.out)[:-len('.whl')].split('-', 2)

    content = {source[source.index(ROOT) + len(ROOT):]: open(source, 'rb').read() for source in args.sources}
    content['acl' + args.suffix] = open(args.extension, 'rb').read()
    content['omkit/lib/libascendcl.so.1'] = open(args.library, 'rb').read()
    info = f'omkit-{version}.dist-info/'
    content[info + 'METADATA'] = METADATA.format(version=version).encode()
    content[info + 'WHEEL'] = WHEEL.format(tag=tag).encode()
    rows = []
    for name in sorted(content):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content[name]).digest()).rstrip(b'=').decode()
        rows.append(f'{name},sha256={digest},{len(content[name])}\n')
    content[info + 'RECORD'] = (''.join(rows) + info + 'RECORD,,\n').encode()

    with zipfile.ZipFile(args.out, 'w', zipfile.ZIP_DEFLATED) as wheel:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if '.so' in name else 0o644) << 16
            wheel.writestr(entry, content[name])


if __name__ == '__main__':
    main()

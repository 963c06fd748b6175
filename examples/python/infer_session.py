#!/usr/bin/env python3
"""The classes of raw float32 files by an offline model:  infer_session.py MODEL.om INPUT.bin [INPUT.bin ...]

Before:  . SDK/set_env.sh
"""
import sys

import numpy as np

from omkit import InferSession

if len(sys.argv) < 3:
    sys.exit(__doc__)
net = InferSession(0, sys.argv[1])
wanted = net.get_inputs()[0]
for path in sys.argv[2:]:
    pixels = np.fromfile(path, wanted.datatype).reshape(wanted.shape)
    scores = net.infer([pixels])[0]
    print(f'{path} class {scores.argmax()}')
print(f'mean {np.mean(net.summary().exec_time_list):.3f} ms')
net.free_resource()

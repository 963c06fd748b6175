#!/usr/bin/env python3
"""Does the offline model compute what ONNX Runtime computes?  verify.py MODEL.om INPUT.bin EXPECTED.bin

EXPECTED.bin holds output 0 of another runtime on the same input, raw. With onnxruntime installed, one line makes it:
  onnxruntime.InferenceSession("net.onnx").run(None, {"input": pixels})[0].tofile("EXPECTED.bin")
"""
import sys

import numpy as np

import omkit

if len(sys.argv) != 4:
    sys.exit(__doc__)
net = omkit.Session(0, sys.argv[1])
pixels = np.fromfile(sys.argv[2], net.inputs[0].datatype).reshape(net.inputs[0].shape)
expected = np.fromfile(sys.argv[3], net.outputs[0].datatype)
report = omkit.verify(sys.argv[1], [pixels], [expected.reshape(net.outputs[0].shape)])
print(report)
sys.exit(0 if report else 1)

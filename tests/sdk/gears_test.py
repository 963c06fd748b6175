#!/usr/bin/env python3
"""Gears and open shapes through the Python packages, ais_bench and msame. gears_test.sh compiles the models into the working folder."""
import subprocess
import sys
import unittest

import numpy as np

import acl
import omkit
from ais_bench.infer.interface import InferSession

GEARS = {'batch': [(1, 3, 64, 64), (2, 3, 64, 64), (4, 3, 64, 64)],
         'hw': [(1, 3, 64, 64), (1, 3, 96, 64), (1, 3, 64, 112)],
         'dims': [(1, 3, 64, 64), (2, 3, 96, 64)]}
OPEN = [(1, 3, 64, 64), (3, 3, 40, 72), (2, 3, 96, 64)]


def text(shape):
    return ','.join(str(d) for d in shape)


def feed(shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)


def expected(shape):
    """What the model compiled for this one shape gives."""
    return omkit.run_om_model(f'fixed_{text(shape)}.om', [feed(shape)])[0]


def choose(net, kind, shape):
    """The setter of InferSession for this kind of model."""
    if kind == 'batch':
        net.set_dynamic_batchsize(shape[0])
    elif kind == 'hw':
        net.set_dynamic_hw(shape[3], shape[2])
    elif kind == 'dims':
        net.set_dynamic_dims('input:' + text(shape))
    else:
        net.set_dynamic_shape('input:' + text(shape))


class Sessions(unittest.TestCase):
    """InferSession: shapes set by hand, and taken from the feeds."""

    def test_fixed_models_differ_by_shape(self):
        results = [expected(shape) for shape in ((1, 3, 64, 64), (1, 3, 96, 64), (1, 3, 64, 112))]
        self.assertEqual(results[0].size, 1000)
        for other in results[1:]:
            self.assertFalse(np.allclose(results[0], other))

    def test_setters(self):
        for kind, shapes in [*GEARS.items(), ('range', OPEN)]:
            net = InferSession(0, kind + '.om')
            self.assertIn(-1, net.get_inputs()[0].shape)
            self.assertEqual(len(net.get_inputs()), 1)  # the gear's own input is not the caller's concern
            for shape in [*shapes, *reversed(shapes)]:
                choose(net, kind, shape)
                out, = net.run([feed(shape)])
                self.assertEqual(out.shape, expected(shape).shape)
                np.testing.assert_array_equal(out, expected(shape), f'{kind} {shape}')
            net.free_resource()

    def test_modes(self):
        for kind, mode, shapes in [('batch', 'dynbatch', GEARS['batch']), ('hw', 'dynhw', GEARS['hw']), ('dims', 'dyndims', GEARS['dims']),
                                   ('range', 'dynshape', OPEN)]:
            net = InferSession(0, kind + '.om')
            for shape in shapes:
                np.testing.assert_array_equal(net.infer([feed(shape)], mode)[0], expected(shape), f'{mode} {shape}')
            net.free_resource()

    def test_what_is_no_gear(self):
        for kind, call in [('batch', lambda net: net.set_dynamic_batchsize(3)), ('hw', lambda net: net.set_dynamic_hw(64, 65)),
                           ('dims', lambda net: net.set_dynamic_dims('input:2,3,64,64')), ('batch', lambda net: net.set_dynamic_hw(64, 64))]:
            net = InferSession(0, kind + '.om')
            with self.assertRaises(omkit.AclError):
                call(net)
            net.free_resource()


class PyAcl(unittest.TestCase):
    """What models say of their gears."""

    def setUp(self):
        self.assertIn(acl.init(), (0, 100002))
        self.assertEqual(acl.rt.set_device(0), 0)

    def desc_of(self, path):
        model, ret = acl.mdl.load_from_file(path)
        self.assertEqual(ret, 0)
        desc = acl.mdl.create_desc()
        self.assertEqual(acl.mdl.get_desc(desc, model), 0)
        self.addCleanup(lambda: (acl.mdl.destroy_desc(desc), acl.mdl.unload(model)))
        return desc

    def test_queries(self):
        desc = self.desc_of('batch.om')
        self.assertEqual(acl.mdl.get_dynamic_batch(desc), ({'batchCount': 3, 'batch': [1, 2, 4]}, 0))
        self.assertEqual(acl.mdl.get_input_dims(desc, 0)[0]['dims'], [-1, 3, 64, 64])
        self.assertEqual(acl.mdl.get_input_size_by_index(desc, 0), 4 * 3 * 64 * 64 * 4)
        self.assertEqual(acl.mdl.get_input_index_by_name(desc, 'ascend_mbatch_shape_data'), (1, 0))
        desc = self.desc_of('hw.om')
        dict_, ret = acl.mdl.get_dynamic_hw(desc, -1)
        self.assertEqual(ret, 0)
        self.assertEqual(sorted(dict_['hw']), [[64, 64], [64, 112], [96, 64]])
        desc = self.desc_of('dims.om')
        self.assertEqual(acl.mdl.get_input_dynamic_gear_count(desc, -1), (2, 0))
        gears, ret = acl.mdl.get_input_dynamic_dims(desc, -1, 2)
        self.assertEqual(ret, 0)
        self.assertEqual(sorted(g['dims'] for g in gears), [[1, 3, 64, 64], [2, 3, 96, 64]])


class Programs(unittest.TestCase):
    """ais_bench and msame, which read the input from a file and write the output to one."""

    FLAGS = {'batch': lambda shape: ['--dymBatch', str(shape[0])], 'hw': lambda shape: ['--dymHW', f'{shape[2]},{shape[3]}'],
             'dims': lambda shape: ['--dymDims', 'input:' + text(shape)],
             'range': lambda shape: ['--dymShape', 'input:' + text(shape), '--outputSize', '100000']}

    def check(self, program, kind, shape):
        name = f'{program[-1]}_{kind}'
        feed(shape).tofile(name + '.bin')
        command = [*program, '--model', kind + '.om', '--input', name + '.bin', '--output', 'out_' + name, '--outfmt', 'BIN', *self.FLAGS[kind](shape)]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, check=False)
        self.assertEqual(result.returncode, 0, f'{command}\n{result.stdout}')
        written = subprocess.run(['find', 'out_' + name, '-name', '*.bin'], stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout.split('\n')[:-1]
        self.assertEqual(len(written), 1, written)
        np.testing.assert_array_equal(np.fromfile(written[0], np.float32), expected(shape).ravel(), name)

    def test_ais_bench(self):
        for kind, shapes in [*GEARS.items(), ('range', OPEN)]:
            self.check([sys.executable, '-m', 'ais_bench'], kind, shapes[1])

    def test_msame(self):
        for kind, shapes in [*GEARS.items(), ('range', OPEN)]:
            self.check(['msame'], kind, shapes[-1])


if __name__ == '__main__':
    unittest.main()

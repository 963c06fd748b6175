#!/usr/bin/env python3
"""The Python side of an installed SDK: pyACL, InferSession, omkit and ais_bench on the Fashion-MNIST model."""
import glob
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np

import acl
import aclruntime
import omkit
from ais_bench.infer.interface import InferSession, MultiDeviceSession

TMP = tempfile.mkdtemp(dir=os.environ.get('TEST_TMPDIR'))
MODEL = os.path.join(TMP, 'net.om')
EXAMPLES = os.path.join(os.environ['OMKIT_HOME'], 'examples/python')
HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2


def compile_model(name, *flags):
    subprocess.run(['atc', '--model=' + sys.argv[1], '--framework=5', '--output=' + os.path.join(TMP, name), '--input_shape=input:1,1,28,28',
                    '--soc_version=host', '--log_level=error', *flags], check=True, stdout=subprocess.DEVNULL)


def setUpModule():
    compile_model('net')


def pixels(seed=0):
    return np.random.default_rng(seed).random((1, 1, 28, 28), np.float32)


def script(*arguments, **environment):
    return subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, check=False,
                          env={**os.environ, **environment})


class PyAcl(unittest.TestCase):
    """The forms of pyACL, by hand."""

    def setUp(self):
        self.assertIn(acl.init(), (0, 100002))
        self.assertEqual(acl.rt.set_device(0), 0)
        self.context, ret = acl.rt.create_context(0)
        self.assertEqual(ret, 0)
        self.model, ret = acl.mdl.load_from_file(MODEL)
        self.assertEqual(ret, 0)
        self.desc = acl.mdl.create_desc()
        self.assertEqual(acl.mdl.get_desc(self.desc, self.model), 0)
        self.memory = {}
        self.sets = [self.make_set('input', pixels().nbytes), self.make_set('output', 40)]

    def make_set(self, side, size):
        self.assertEqual(getattr(acl.mdl, f'get_{side}_size_by_index')(self.desc, 0), size)
        address, ret = acl.rt.malloc(size, 0)
        self.assertEqual(ret, 0)
        dataset = acl.mdl.create_dataset()
        self.assertEqual(acl.mdl.add_dataset_buffer(dataset, acl.create_data_buffer(address, size)), (dataset, 0))
        self.memory[side] = address
        return dataset

    def tearDown(self):
        for dataset in self.sets:
            self.assertEqual(acl.destroy_data_buffer(acl.mdl.get_dataset_buffer(dataset, 0)), 0)
            self.assertEqual(acl.mdl.destroy_dataset(dataset), 0)
        for address in self.memory.values():
            self.assertEqual(acl.rt.free(address), 0)
        self.assertEqual(acl.mdl.destroy_desc(self.desc), 0)
        self.assertEqual(acl.mdl.unload(self.model), 0)
        self.assertEqual(acl.rt.destroy_context(self.context), 0)
        self.assertEqual(acl.rt.reset_device(0), 0)

    def send(self, array):
        self.assertEqual(acl.rt.memcpy(self.memory['input'], array.nbytes, acl.util.numpy_to_ptr(array), array.nbytes, HOST_TO_DEVICE), 0)

    def fetch(self):
        host, ret = acl.rt.malloc_host(40)
        self.assertEqual(ret, 0)
        self.assertEqual(acl.rt.memcpy(host, 40, self.memory['output'], 40, DEVICE_TO_HOST), 0)
        array = acl.util.ptr_to_numpy(host, (1, 10), 11)
        self.assertEqual((array.dtype, array.shape, array.ctypes.data), (np.float32, (1, 10), host))
        copy = array.copy()
        self.assertEqual(acl.util.ptr_to_bytes(host, 40), copy.tobytes())
        self.assertEqual(acl.rt.free_host(host), 0)
        return copy

    def test_execute(self):
        self.send(pixels())
        self.assertEqual(acl.mdl.execute(self.model, *self.sets), 0)
        np.testing.assert_array_equal(self.fetch(), omkit.run_om_model(MODEL, [pixels()])[0])

    def test_description(self):
        self.assertEqual((acl.mdl.get_num_inputs(self.desc), acl.mdl.get_num_outputs(self.desc)), (1, 1))
        dims, ret = acl.mdl.get_input_dims(self.desc, 0)
        self.assertEqual((dims, ret), ({'name': 'input', 'dimCount': 4, 'dims': [1, 1, 28, 28]}, 0))
        self.assertEqual(acl.mdl.get_output_dims(self.desc, 0)[0]['dims'], [1, 10])
        self.assertEqual((acl.mdl.get_input_data_type(self.desc, 0), acl.mdl.get_input_format(self.desc, 0)), (0, 0))
        self.assertEqual(acl.mdl.get_input_index_by_name(self.desc, 'input'), (0, 0))
        self.assertNotEqual(acl.mdl.get_input_index_by_name(self.desc, 'inptu')[1], 0)
        self.assertIn('input', acl.get_recent_err_msg())
        self.assertEqual(acl.mdl.get_dynamic_batch(self.desc), ({'batchCount': 0, 'batch': []}, 0))
        self.assertEqual(acl.mdl.get_dynamic_hw(self.desc, -1), ({'hwCount': 0, 'hw': []}, 0))
        self.assertEqual(acl.mdl.get_input_dynamic_gear_count(self.desc, -1), (0, 0))
        work, weights, ret = acl.mdl.query_size(MODEL)
        self.assertTrue(work > 0 and weights > 0 and ret == 0)

    def test_stream_with_callback(self):
        running, seen = [True], []

        def serve(arguments):
            context, timeout = arguments
            self.assertEqual(acl.rt.set_context(context), 0)
            while running[0]:
                acl.rt.process_report(timeout)

        thread, ret = acl.util.start_thread(serve, [self.context, 50])
        self.assertEqual(ret, 0)
        stream, ret = acl.rt.create_stream()
        self.assertEqual(ret, 0)
        begin, end = acl.rt.create_event()[0], acl.rt.create_event()[0]
        self.assertEqual(acl.rt.subscribe_report(thread, stream), 0)
        self.send(pixels())
        self.assertEqual(acl.rt.record_event(begin, stream), 0)
        for i in range(3):
            self.assertEqual(acl.mdl.execute_async(self.model, *self.sets, stream), 0)
            self.assertEqual(acl.rt.launch_callback(seen.append, [i], 1, stream), 0)
        self.assertEqual(acl.rt.record_event(end, stream), 0)
        self.assertEqual(acl.rt.synchronize_stream(stream), 0)
        self.assertEqual(seen, [[0], [1], [2]])
        ms, ret = acl.rt.event_elapsed_time(begin, end)
        self.assertTrue(ret == 0 and ms > 0)
        np.testing.assert_array_equal(self.fetch(), omkit.run_om_model(MODEL, [pixels()])[0])
        acl.rt.set_context(self.context)
        self.assertEqual(acl.rt.unsubscribe_report(thread, stream), 0)
        running[0] = False
        self.assertEqual(acl.util.stop_thread(thread), 0)
        for ret in (acl.rt.destroy_event(begin), acl.rt.destroy_event(end), acl.rt.destroy_stream(stream)):
            self.assertEqual(ret, 0)

    def test_config_handles(self):
        handle = acl.mdl.create_config_handle()
        for attribute, value in ((1, 1), (2, MODEL), (0, 3)):  # from a file, its name, priority
            self.assertEqual(acl.mdl.set_config_opt(handle, attribute, value), 0, acl.get_recent_err_msg())
        self.assertNotEqual(acl.mdl.set_config_opt(handle, 99, 1), 0)
        model, ret = acl.mdl.load_with_config(handle)
        self.assertEqual((ret, acl.mdl.destroy_config_handle(handle)), (0, 0))
        self.send(pixels())
        options, stream = acl.mdl.create_exec_config_handle(), acl.rt.create_stream()[0]
        self.assertEqual(acl.mdl.set_exec_config_opt(options, 0, 60000), 0)  # milliseconds to wait
        self.assertEqual(acl.mdl.execute_v2(model, *self.sets, stream, options), 0)
        np.testing.assert_array_equal(self.fetch(), omkit.run_om_model(MODEL, [pixels()])[0])
        acl.rt.set_context(self.context)
        self.assertEqual(acl.mdl.execute_async_v2(model, *self.sets, stream, options), 0)
        self.assertEqual(acl.rt.synchronize_stream(stream), 0)
        for ret in (acl.mdl.destroy_exec_config_handle(options), acl.rt.destroy_stream(stream), acl.mdl.unload(model)):
            self.assertEqual(ret, 0)

    def test_profiling(self):
        folder = os.path.join(TMP, 'profile')
        os.makedirs(folder)
        self.assertEqual(acl.prof.init(folder), 0)
        config = acl.prof.create_config([0], 1, 0, 0x0007)
        self.assertNotEqual(config, 0)
        self.assertEqual(acl.prof.create_config([77], 1, 0, 0x0007), 0)
        self.assertEqual(acl.prof.start(config), 0)
        self.assertEqual(acl.mdl.execute(self.model, *self.sets), 0)
        for ret in (acl.prof.stop(config), acl.prof.destroy_config(config), acl.prof.finalize()):
            self.assertEqual(ret, 0)
        summary, = glob.glob(folder + '/PROF_*/**/op_summary*.csv', recursive=True)
        with open(summary, encoding='utf-8') as f:
            self.assertGreater(len(f.readlines()), 3)

    def test_aipp(self):
        config = os.path.join(TMP, 'aipp.cfg')
        for mode, own in (('static', 'input_format: YUV400_U8 src_image_size_w: 28 src_image_size_h: 28 min_chn_0: 3 var_reci_chn_0: 0.5'),
                          ('dynamic', 'max_src_image_size: 4096')):
            with open(config, 'w', encoding='utf-8') as f:
                f.write(f'aipp_op {{ aipp_mode: {mode} related_input_rank: 0 {own} }}')
            compile_model(f'aipp_{mode}', '--insert_op_conf=' + config)
        image = np.random.default_rng(5).integers(0, 256, (28, 28), np.uint8)
        wanted = omkit.run_om_model(MODEL, [((image.astype(np.float32) - 3) * 0.5).reshape(1, 1, 28, 28)])[0]
        static, ret = acl.mdl.load_from_file(os.path.join(TMP, 'aipp_static.om'))
        self.assertEqual((ret, acl.mdl.get_aipp_type(static, 0)[::2]), (0, (1, 0)))
        info, ret = acl.mdl.get_first_aipp_info(static, 0)
        self.assertEqual((ret, info['inputFormat'], info['srcImageSizeW'], info['cscSwitch'], info['minChn0'], info['varReciChn0']), (0, 4, 28, 0, 3, 0.5))
        self.assertEqual(acl.mdl.unload(static), 0)
        np.testing.assert_allclose(omkit.run_om_model(os.path.join(TMP, 'aipp_static.om'), [image.reshape(1, 28, 28, 1)])[0], wanted, 1e-4, 1e-5)

        dynamic, ret = acl.mdl.load_from_file(os.path.join(TMP, 'aipp_dynamic.om'))
        self.assertEqual((ret, acl.mdl.get_aipp_type(dynamic, 0)), (0, (2, 1, 0)))
        desc = acl.mdl.create_desc()
        self.assertEqual(acl.mdl.get_desc(desc, dynamic), 0)
        inputs = acl.mdl.create_dataset()
        memory = []
        for i in range(2):
            size = acl.mdl.get_input_size_by_index(desc, i)
            memory.append(acl.rt.malloc(size, 0)[0])
            acl.mdl.add_dataset_buffer(inputs, acl.create_data_buffer(memory[-1], size))
        self.assertEqual(acl.rt.memcpy(memory[0], 784, acl.util.numpy_to_ptr(image), 784, HOST_TO_DEVICE), 0)
        aipp = acl.mdl.create_aipp(1)
        for ret in (acl.mdl.set_aipp_input_format(aipp, 4), acl.mdl.set_aipp_src_image_size(aipp, 28, 28), acl.mdl.set_aipp_rbuv_swap_switch(aipp, 0),
                    acl.mdl.set_aipp_dtc_pixel_min(aipp, 3.0, 0.0, 0.0, 0.0, 0), acl.mdl.set_aipp_pixel_var_reci(aipp, 0.5, 1.0, 1.0, 1.0, 0),
                    acl.mdl.set_input_aipp(dynamic, inputs, 1, aipp), acl.mdl.set_aipp_by_input_index(dynamic, inputs, 0, aipp)):
            self.assertEqual(ret, 0, acl.get_recent_err_msg())
        self.assertEqual(acl.mdl.execute(dynamic, inputs, self.sets[1]), 0, acl.get_recent_err_msg())
        np.testing.assert_allclose(self.fetch(), wanted, 1e-4, 1e-5)
        self.assertEqual(acl.mdl.set_aipp_src_image_size(aipp, 9999, 9999), 0)
        self.assertEqual(acl.mdl.set_input_aipp(dynamic, inputs, 1, aipp), 100000)
        for ret in (acl.mdl.destroy_aipp(aipp), acl.mdl.destroy_desc(desc), acl.mdl.unload(dynamic)):
            self.assertEqual(ret, 0)

    def test_errors_are_codes(self):
        self.assertEqual(acl.mdl.load_from_file('/no/such/file.om'), (0, 145002))
        self.assertIn('/no/such/file.om', acl.get_recent_err_msg())
        self.assertEqual(acl.mdl.execute(9999, *self.sets), 145003)
        self.assertNotEqual(acl.rt.free(12345), 0)
        self.assertNotEqual(acl.mdl.destroy_dataset(self.memory['input']), 0)
        with self.assertRaises(TypeError):
            acl.mdl.execute('model', 0, 0)

    def test_other_threads_run_during_execute(self):
        counted, stop = [0], threading.Event()

        def count():
            while not stop.is_set():
                counted[0] += 1
                time.sleep(0)

        other = threading.Thread(target=count)
        other.start()
        # One call that lasts: a stream that waits for many executions.
        stream = acl.rt.create_stream()[0]
        for _ in range(300):
            acl.mdl.execute_async(self.model, *self.sets, stream)
        before = counted[0]
        self.assertEqual(acl.rt.synchronize_stream(stream), 0)
        after = counted[0]
        stop.set()
        other.join()
        self.assertEqual(acl.rt.destroy_stream(stream), 0)
        self.assertGreater(after, before)


class Sessions(unittest.TestCase):
    """InferSession, omkit and aclruntime."""

    def test_infer(self):
        net = InferSession(0, MODEL)
        wanted, given = net.get_inputs()[0], net.get_outputs()[0]
        self.assertEqual((wanted.name, wanted.datatype, wanted.format, wanted.shape, wanted.size, wanted.realsize),
                         ('input', np.float32, 0, [1, 1, 28, 28], 784, 3136))
        self.assertEqual((given.shape, given.realsize), ([1, 10], 40))
        first = net.infer([pixels()])
        self.assertEqual([(a.dtype, a.shape) for a in first], [(np.dtype(np.float32), (1, 10))])
        second = net.infer([pixels(1)])
        self.assertFalse(np.array_equal(first[0], second[0]))
        np.testing.assert_array_equal(net.infer([pixels()])[0], first[0])
        np.testing.assert_array_equal(net.infer([np.asfortranarray(pixels())])[0], first[0])
        np.testing.assert_array_equal(net.infer([pixels().view(np.uint8)])[0], first[0])
        np.testing.assert_array_equal(net.infer_pipeline([[pixels()], [pixels(1)]])[1][0], second[0])
        self.assertEqual(len(net.summary().exec_time_list), 7)
        net.reset_summaryinfo()
        self.assertEqual(net.sumary().exec_time_list, [])
        net.free_resource()
        net.free_resource()

    def test_bad_feeds(self):
        with omkit.Session(0, MODEL) as net:
            for feeds, error, text in [([], ValueError, '0 arrays given, the model has 1 inputs'),
                                       ([pixels().astype(np.float64)], TypeError, 'takes float32, not float64'),
                                       ([pixels()[:, :, 1:]], ValueError, '3136 bytes')]:
                with self.assertRaisesRegex(error, text):
                    net.run(feeds)
            with self.assertRaisesRegex(ValueError, 'no gears'):
                net.set_batch(2)
            self.assertEqual(net.run([pixels()])[0].shape, (1, 10))
        with self.assertRaisesRegex(omkit.AclError, 'nothing.om'):
            omkit.Session(0, 'nothing.om')
        with self.assertRaisesRegex(ValueError, 'mode'):
            InferSession(0, MODEL).infer([pixels()], mode='quick')

    def test_threads_have_sessions_of_their_own(self):
        expected = [omkit.run_om_model(MODEL, [pixels(i)])[0] for i in range(4)]
        wrong = []

        def work(i):
            net = InferSession(0, MODEL)
            for _ in range(50):
                if not np.array_equal(net.infer([pixels(i)])[0], expected[i]):
                    wrong.append(i)
            net.free_resource()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])

    def test_memory_stays(self):
        net, x = omkit.Session(0, MODEL), pixels()
        for _ in range(200):
            net.run([x])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(2000):
            net.run([x])
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 2048)
        for _ in range(30):
            omkit.run_om_model(MODEL, [x])
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 16384)

    def test_verify(self):
        expected = omkit.run_om_model(MODEL, {'input': pixels()})
        report = omkit.verify(MODEL, [pixels()], expected)
        self.assertTrue(report)
        self.assertEqual((report.outputs[0].cosine, report.outputs[0].max_difference, report.outputs[0].same_top1), (1.0, 0.0, 1.0))
        self.assertFalse(omkit.verify(MODEL, [pixels()], [-expected[0]]))
        self.assertAlmostEqual(omkit.cosine([1, 0], [1, 1]), 0.5 ** 0.5)
        with self.assertRaisesRegex(ValueError, "inputs \\['input', 'x'\\]"):
            omkit.run_om_model(MODEL, {'x': pixels()})

    def test_aclruntime(self):
        net = aclruntime.InferenceSession(MODEL, 0, aclruntime.session_options())
        feed = aclruntime.Tensor(pixels())
        feed.to_device(0)
        out, = net.run(['logits'], [feed])
        out.to_host()
        np.testing.assert_array_equal(np.array(out), omkit.run_om_model(MODEL, [pixels()])[0])
        net.free_resource()

    def test_several_devices(self):
        out = MultiDeviceSession(MODEL).infer({0: [[pixels()], [pixels(1)]]})
        np.testing.assert_array_equal(out[0][1][0], omkit.run_om_model(MODEL, [pixels(1)])[0])


class Programs(unittest.TestCase):
    """The examples and the command line, in processes of their own."""

    @classmethod
    def setUpClass(cls):
        cls.inputs = []
        for i in range(3):
            cls.inputs.append(os.path.join(TMP, f'in/{i}.bin'))
            os.makedirs(os.path.dirname(cls.inputs[-1]), exist_ok=True)
            pixels(i).tofile(cls.inputs[-1])
        cls.expected = [omkit.run_om_model(MODEL, [pixels(i)])[0] for i in range(3)]

    def test_examples(self):
        want = f'class {self.expected[1].argmax()}'
        for mode in ({}, {'OMKIT_STRICT': '1'}):
            for name in ('pyacl_classify.py', 'infer_session.py'):
                result = script(os.path.join(EXAMPLES, name), MODEL, self.inputs[1], **mode)
                self.assertEqual((result.returncode, result.stderr), (0, ''), name)
                self.assertIn(want, result.stdout)
        reference = os.path.join(TMP, 'reference.bin')
        self.expected[1].tofile(reference)
        self.assertIn('cosine 1.000000', script(os.path.join(EXAMPLES, 'verify.py'), MODEL, self.inputs[1], reference).stdout)
        self.assertEqual(script(os.path.join(EXAMPLES, 'verify.py'), MODEL, self.inputs[0], reference).returncode, 0 if omkit.cosine(
            self.expected[0], self.expected[1]) >= 0.99 else 1)

    def test_ais_bench(self):
        out = os.path.join(TMP, 'out')
        for name, entry, outfmt in (('files', ','.join(self.inputs), 'BIN'), ('folder', os.path.join(TMP, 'in'), 'NPY'),
                                    ('text', self.inputs[0], 'TXT')):
            result = script('-m', 'ais_bench', '--model', MODEL, '--input', entry, '--output', out, '--output_dirname', name, '--outfmt', outfmt,
                            '--loop', '2')
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, r'NPU_compute_time \(ms\): min = \S+, max = \S+, mean = \S+, median = \S+, percentile\(99%\) = \S+')
            self.assertRegex(result.stdout, r'throughput 1000\*batchsize.mean\(1\)/NPU_compute_time.mean\(\S+\): \S+')
            with open(os.path.join(out, name + '_summary.json'), encoding='utf-8') as f:
                self.assertEqual(json.load(f)['NPU_compute_time']['count'], 2 if name == 'text' else 6)
        for i in range(3):
            np.testing.assert_array_equal(np.fromfile(f'{out}/files/{i}_0.bin', np.float32), self.expected[i].ravel())
            np.testing.assert_array_equal(np.load(f'{out}/folder/{i}_0.npy'), self.expected[i])
        np.testing.assert_allclose(np.loadtxt(f'{out}/text/0_0.txt'), self.expected[0].ravel(), rtol=1e-6)
        pure = script('-m', 'ais_bench', '--model', MODEL, '--output', out, '--pure_data_type', 'random', '--warmup_count', '0')
        self.assertEqual(pure.returncode, 0, pure.stderr)
        self.assertEqual(len(glob.glob(out + '/20*/pure_infer_data_0.bin')), 1)

    def test_ais_bench_profiles_and_dumps(self):
        for switch, pattern in (('--profiler', '/PROF_*/*'), ('--dump', '/**/*input*')):
            out = os.path.join(TMP, 'out' + switch)
            result = script('-m', 'ais_bench', '--model', MODEL, '--output', out, '--output_dirname', 'x', switch, '1')
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotEqual(glob.glob(out + pattern, recursive=True), [], os.listdir(out))

    def test_ais_bench_refuses(self):
        for arguments, text in [(['--model', 'none.om'], 'none.om'), (['--model', MODEL, '--input', 'none'], "no file or folder 'none'"),
                                (['--model', MODEL, '--dymBatch', '2'], 'no gears'), (['--model', MODEL, '--loop', '0'], '--loop'),
                                (['--model', MODEL, '--batch', '1'], '--batch'), (['--model', MODEL, '--profiler', '1'], '--profiler')]:
            result = script('-m', 'ais_bench', *arguments)
            self.assertNotEqual(result.returncode, 0, arguments)
            self.assertIn(text, result.stderr)
            self.assertNotIn('Traceback', result.stderr)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])

"""InferSession: the interface of ais_bench, which many deployment scripts are written for."""
import numpy as np

from omkit import device as _device
from omkit.session import Session, Summary, _numbers

MODES = {'static': 'static', 'dynbatch': 'batch', 'dynhw': 'hw', 'dyndims': 'dims', 'dynshape': 'shape',
         'dymbatch': 'batch', 'dymhw': 'hw', 'dymdims': 'dims', 'dymshape': 'shape'}


class InferSession:
    """A model on one device.

    infer() takes a list of arrays, numpy numbers or CPU tensors of torch, one for each input, and returns a list of arrays. `loop` repeats
    each execution, for timing. set_* choose gear and shapes by hand; infer() with a mode other than 'static' takes them from the feeds.
    """

    def __init__(self, device_id, model_path, acl_json_path=None, debug=False, loop=1):
        if loop < 1:
            raise ValueError(f'loop is {loop}, allowed are numbers from 1')
        self.device_id, self.model_path, self.loop, self.debug = device_id, model_path, loop, debug
        self._session = Session(device_id, model_path, acl_json_path)
        self._custom_sizes = None
        if debug:
            for kind, tensors in (('input', self.get_inputs()), ('output', self.get_outputs())):
                for i, t in enumerate(tensors):
                    print(f'[DEBUG] {kind} {i}: {t.name} {t.datatype} {t.shape} {t.realsize} bytes')

    def get_inputs(self):
        """TensorDesc of each input: name, datatype, format, shape, size, realsize."""
        return self._session.inputs

    def get_outputs(self):
        """TensorDesc of each output."""
        return self._session.outputs

    # Shapes.

    def set_staticbatch(self):
        """A model of fixed shape needs nothing."""

    def set_dynamic_batchsize(self, batch):
        """batch: a number or its text."""
        self._session.set_batch(int(batch))

    def set_dynamic_hw(self, width, height):
        """Image size; the width comes first."""
        self._session.set_hw(int(height), int(width))

    def set_dynamic_dims(self, dims):
        """dims: 'name:1,3,224,224;other:1,8'"""
        self._session.set_dims(self._session.names_to_shapes(dims))

    def set_dynamic_shape(self, shapes):
        """shapes: 'name:1,3,224,224;other:1,8'"""
        self._session.set_shapes(self._session.names_to_shapes(shapes))

    def set_custom_outsize(self, sizes):
        """Bytes that each output of a model with open dimensions may need."""
        self._custom_sizes = list(sizes)
        self._session.set_shapes([], self._custom_sizes)

    def _follow(self, arrays, mode, custom_sizes):
        """Sets gear or shapes as the arrays have them."""
        if mode not in MODES:
            raise ValueError(f"mode '{mode}' is unknown; allowed are {', '.join(sorted(MODES))}")
        kind, shapes = MODES[mode], [a.shape for a in arrays]
        if kind == 'batch':
            axis = next((t.shape.index(-1) for t in self.get_inputs() if -1 in t.shape), 0)
            first = next((i for i, t in enumerate(self.get_inputs()) if -1 in t.shape), 0)
            self._session.set_batch(shapes[first][axis])
        elif kind == 'hw':
            first = next((i for i, t in enumerate(self.get_inputs()) if -1 in t.shape), 0)
            axes = [d for d, n in enumerate(self.get_inputs()[first].shape) if n == -1] or [2, 3]
            self._session.set_hw(shapes[first][axes[0]], shapes[first][axes[-1]])
        elif kind == 'dims':
            self._session.set_dims(shapes)
        elif kind == 'shape':
            sizes = self._custom_sizes
            if sizes is None:
                sizes = custom_sizes if isinstance(custom_sizes, (list, tuple)) else [custom_sizes] * len(self.get_outputs())
            self._session.set_shapes(shapes, sizes)

    # Execution.

    @staticmethod
    def _as_array(feed):
        if isinstance(feed, np.ndarray):
            return feed
        if isinstance(feed, (np.generic, int, float)):
            return np.array(feed)
        if hasattr(feed, 'detach'):  # torch
            return feed.detach().numpy()
        return np.asarray(feed)

    def infer(self, feeds, mode='static', custom_sizes=100000, out_array=True):
        """Executes once and returns the outputs. `custom_sizes`: bytes of each output, or of all, for mode 'dynshape'."""
        if mode == 'static' and self.loop == 1:
            return self._session.run([f if type(f) is np.ndarray else self._as_array(f) for f in feeds])
        arrays = [self._as_array(feed) for feed in feeds]
        self._follow(arrays, mode, custom_sizes)
        for _ in range(self.loop):
            outputs = self._session.run(arrays)
        return outputs

    def run(self, feeds, out_array=False):
        """Executes with the gear and shapes set before."""
        return self._session.run([self._as_array(feed) for feed in feeds])

    def infer_pipeline(self, feeds_list, mode='static', custom_sizes=100000):
        """infer() for each list of feeds."""
        return [self.infer(feeds, mode, custom_sizes) for feeds in feeds_list]

    def infer_iteration(self, feeds, in_out_list=None, iteration_times=1, mode='static', custom_sizes=100000, mem_copy=True):
        """Executes repeatedly, outputs becoming inputs: in_out_list[i] is the output that input i takes next, -1 for the feed itself."""
        feeds = list(feeds)
        if in_out_list is not None and len(in_out_list) != len(feeds):
            raise ValueError(f'in_out_list has {len(in_out_list)} entries, there are {len(feeds)} feeds')
        outputs = []
        for _ in range(iteration_times):
            outputs = self.infer(feeds, mode, custom_sizes)
            for i, source in enumerate(in_out_list or []):
                if source >= 0:
                    feeds[i] = outputs[source].reshape(np.shape(feeds[i]))
        return outputs

    def create_tensor_from_fileslist(self, desc, files):
        """One array from .npy or raw files, joined along the first axis to the shape of `desc`."""
        parts = [np.load(f) if str(f).endswith('.npy') else np.fromfile(f, np.uint8) for f in files]
        joined = np.concatenate([np.ascontiguousarray(p).reshape(-1).view(np.uint8) for p in parts])
        flat = joined.view(desc.datatype)
        return flat.reshape(desc.shape) if -1 not in desc.shape and flat.size == np.prod(desc.shape) else flat

    @staticmethod
    def convert_tensors_to_host(tensors):
        """Arrays are in the host's memory already."""
        return tensors

    @staticmethod
    def convert_tensors_to_arrays(tensors):
        """Arrays of what run() returned."""
        return [np.asarray(t) for t in tensors]

    # Times and the end.

    def summary(self):
        """.exec_time_list: milliseconds of each execution since the last reset."""
        return self._session.summary

    def reset_summaryinfo(self):
        """Forgets the times."""
        self._session.summary = Summary()

    sumary, reset_sumaryinfo = summary, reset_summaryinfo

    def free_resource(self):
        """Unloads the model."""
        self._session.free()

    def finalize(self):
        """Unloads the model and stops the library; other sessions must have been freed."""
        self._session.free()
        _device.leave()


class MultiDeviceSession:
    """Sessions on several devices, one after the other: infer({device: [feeds, ...]}) -> {device: [outputs, ...]}."""

    def __init__(self, model_path, acl_json_path=None, debug=False, loop=1):
        self._arguments = (model_path, acl_json_path, debug, loop)
        self._times = {}

    def infer(self, device_feeds, mode='static', custom_sizes=100000):
        results = {}
        for device, feeds_list in device_feeds.items():
            session = InferSession(device, *self._arguments)
            try:
                results[device] = session.infer_pipeline(feeds_list, mode, custom_sizes)
                self._times[device] = session.summary()
            finally:
                session.free_resource()
        return results

    def summary(self):
        """Summary of each device."""
        return dict(self._times)


class MemorySummary:
    """Times of copies to and from the device: there are none, inputs and outputs are used where they lie."""

    @staticmethod
    def get_h2d_time_list():
        return []

    @staticmethod
    def get_d2h_time_list():
        return []

    @staticmethod
    def reset():
        """Nothing to forget."""

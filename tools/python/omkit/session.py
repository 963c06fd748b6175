"""A loaded offline model: numpy arrays in, numpy arrays out."""
import os
import time

import numpy as np

import acl
from omkit import device as _device
from omkit.tensors import GEAR_INPUT, describe

_HUGE_FIRST, _HOST_TO_DEVICE, _DEVICE_TO_HOST = 0, 1, 2
_update, _address = acl.update_data_buffer, acl.util.numpy_to_ptr


def _numbers(text):
    return [int(n) for n in str(text).replace('x', ',').split(',')]


def _named_dims(text):
    """'a:1,3;b:2' -> {'a': [1, 3], 'b': [2]}"""
    return {name: _numbers(dims) for name, _, dims in (part.rpartition(':') for part in text.strip('; ').split(';'))}


class Summary:
    """Milliseconds of each execution."""

    def __init__(self):
        self.exec_time_list = []


class Session:
    """A model on a device. One thread uses a session at a time, any thread; sessions of one file share its weights.

    Arrays of the model's type and size are handed to the model where they lie, and outputs are written into the arrays that are returned:
    nothing is copied. With OMKIT_STRICT=1 the library takes device memory only; then inputs and outputs are copied.
    """

    def __init__(self, device_id, model_path, acl_json_path=None):
        self._resources = []  # what to call on free(), last first
        self._device = device_id
        self._context = _device.enter(device_id, acl_json_path)
        self._copies = os.environ.get('OMKIT_STRICT', '0') not in ('', '0')
        try:
            self._load(os.fspath(model_path))
        except BaseException:
            self.free()
            raise

    def _load(self, path):
        self._id, code = acl.mdl.load_from_file(path)
        _device.check(code, f"loading '{path}'")
        self._resources.append(lambda: acl.mdl.unload(self._id))
        desc = self._desc = acl.mdl.create_desc()
        self._resources.append(lambda: acl.mdl.destroy_desc(desc))
        _device.check(acl.mdl.get_desc(desc, self._id), 'acl.mdl.get_desc')
        every = [describe(desc, i, True) for i in range(acl.mdl.get_num_inputs(desc))]
        self._gear_index = next((i for i, t in enumerate(every) if t.name == GEAR_INPUT), None)
        self._every_input = every
        self.inputs = [t for t in every if t.name != GEAR_INPUT]
        self.outputs = [describe(desc, i, False) for i in range(acl.mdl.get_num_outputs(desc))]
        self._shapes = [tuple(t.shape) for t in self.outputs]
        self.dynamic = self._gear_index is None and any(d < 0 for t in every for d in t.shape)
        self._input_set, self._input_buffers = self._dataset(every)
        self._output_set, self._output_buffers = self._dataset(self.outputs)
        if self._gear_index is not None:
            self._gear_memory = self._allocate(max(every[self._gear_index].realsize, 4))
            buffer, size = self._input_buffers[self._gear_index], every[self._gear_index].realsize
            _device.check(_update(buffer, self._gear_memory, size), 'acl.update_data_buffer')
        if self._copies:
            self._input_memory = [self._allocate(max(t.realsize, 1)) for t in every]
            self._output_memory = [self._allocate(max(t.realsize, 1)) for t in self.outputs]
        self._output_sizes = [max(t.realsize, 100000) for t in self.outputs]
        self.summary = Summary()

    def _dataset(self, tensors):
        dataset, buffers = acl.mdl.create_dataset(), []
        self._resources.append(lambda: acl.mdl.destroy_dataset(dataset))
        for tensor in tensors:
            buffer = acl.create_data_buffer(0, 0)
            self._resources.append(lambda buffer=buffer: acl.destroy_data_buffer(buffer))
            _device.check(acl.mdl.add_dataset_buffer(dataset, buffer)[1], f"a buffer for '{tensor.name}'")
            buffers.append(buffer)
        return dataset, buffers

    def _allocate(self, size):
        memory, code = acl.rt.malloc(size, _HUGE_FIRST)
        _device.check(code, f'acl.rt.malloc({size})')
        self._resources.append(lambda: acl.rt.free(memory))
        return memory

    def free(self):
        """Unloads the model. Safe to call again."""
        if self._resources:
            acl.rt.set_context(self._context)
        while self._resources:
            self._resources.pop()()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.free()

    def __del__(self):
        if getattr(self, '_resources', None) and acl is not None:
            self.free()

    # Gears.

    def _set_gear(self, code, what):
        _device.check(code, f'setting {what}')
        for i in range(len(self.outputs)):
            dims, code = acl.mdl.get_cur_output_dims(self._desc, i)
            _device.check(code, 'acl.mdl.get_cur_output_dims')
            self._shapes[i] = tuple(dims['dims'])

    def _gear(self):
        if self._gear_index is None:
            raise ValueError('the model has no gears; compile it with --dynamic_batch_size, --dynamic_image_size or --dynamic_dims')
        acl.rt.set_context(self._context)
        return self._gear_index

    def set_batch(self, batch):
        """Chooses the gear of a model with --dynamic_batch_size."""
        self._set_gear(acl.mdl.set_dynamic_batch_size(self._id, self._input_set, self._gear(), int(batch)), f'batch {batch}')

    def set_hw(self, height, width):
        """Chooses the gear of a model with --dynamic_image_size."""
        self._set_gear(acl.mdl.set_dynamic_hw_size(self._id, self._input_set, self._gear(), height, width), f'image size {height},{width}')

    def set_dims(self, shapes):
        """Chooses the gear of a model with --dynamic_dims; one shape for each input."""
        flat = [int(d) for shape in shapes for d in shape]
        dims = {'name': '', 'dimCount': len(flat), 'dims': flat}
        self._set_gear(acl.mdl.set_input_dynamic_dims(self._id, self._input_set, self._gear(), dims), f'dims {flat}')

    def set_shapes(self, shapes, output_sizes=None):
        """Shapes for the next executions of a model with open dimensions; `output_sizes`: bytes that each output may need."""
        acl.rt.set_context(self._context)
        for i, shape in enumerate(shapes):
            desc = acl.create_tensor_desc(0, [int(d) for d in shape], 2)
            code = acl.mdl.set_dataset_tensor_desc(self._input_set, desc, i)[1]
            acl.destroy_tensor_desc(desc)
            _device.check(code, f"setting the shape of input '{self.inputs[i].name}'")
        if output_sizes is not None:
            self._output_sizes = list(output_sizes)

    def names_to_shapes(self, text):
        """The shapes of 'name:1,3,224,224;other:1,8', in the inputs' order."""
        given = _named_dims(text)
        missing = [t.name for t in self.inputs if t.name not in given]
        if missing or len(given) != len(self.inputs):
            raise ValueError(f"'{text}' must name the inputs {[t.name for t in self.inputs]}, each once")
        return [given[t.name] for t in self.inputs]

    # Execution.

    def _array(self, index, feed):
        """The feed as a dense array of the input's type."""
        tensor = self.inputs[index]
        array = feed if type(feed) is np.ndarray else np.asarray(feed)
        if array.dtype != tensor.datatype:
            if array.dtype != np.uint8 or array.nbytes != tensor.realsize:  # raw bytes
                raise TypeError(f"input {index} '{tensor.name}' takes {tensor.datatype}, not {array.dtype}; use .astype(np.{tensor.datatype})")
        return array if array.flags.c_contiguous else np.ascontiguousarray(array)

    def _check_size(self, index, array):
        tensor = self.inputs[index]
        if array.nbytes != tensor.realsize and self._gear_index is None and not self.dynamic:
            raise ValueError(f"input {index} '{tensor.name}' has shape {tensor.shape}, {tensor.realsize} bytes; "
                             f'the array has shape {list(array.shape)}, {array.nbytes} bytes')

    def _bind_inputs(self, feeds):
        if len(feeds) != len(self.inputs):
            raise ValueError(f'{len(feeds)} arrays given, the model has {len(self.inputs)} inputs: {[t.name for t in self.inputs]}')
        arrays = []
        slots = [i for i in range(len(self._every_input)) if i != self._gear_index]
        for index, feed in enumerate(feeds):
            array = self._array(index, feed)
            self._check_size(index, array)
            arrays.append(array)
            self._bind(self._input_buffers[slots[index]], _address(array), array.nbytes, self._copies and self._input_memory[slots[index]])
        return arrays

    def _bind(self, buffer, address, size, device_memory):
        if device_memory:
            _device.check(acl.rt.memcpy(device_memory, size, address, size, _HOST_TO_DEVICE), 'copying an input')
            address = device_memory
        code = _update(buffer, address, size)
        if code != 0:
            _device.check(code, 'acl.update_data_buffer')

    def _bind_outputs(self):
        arrays = []
        for i, tensor in enumerate(self.outputs):
            if self.dynamic:
                array = np.empty(self._output_sizes[i] // tensor.datatype.itemsize, tensor.datatype)
            else:
                array = np.empty(self._shapes[i], tensor.datatype)
            arrays.append(array)
            address = self._output_memory[i] if self._copies else _address(array)
            code = _update(self._output_buffers[i], address, array.nbytes)
            if code != 0:
                _device.check(code, 'acl.update_data_buffer')
        return arrays

    def _true_shape(self, index, array):
        """The part of an output of open shape that the execution wrote."""
        desc = acl.mdl.get_dataset_tensor_desc(self._output_set, index)
        shape = [acl.get_tensor_desc_dim(desc, d) for d in range(acl.get_tensor_desc_num_dims(desc))]
        return array[:int(np.prod(shape, dtype=np.int64))].reshape(shape)

    def run(self, feeds):
        """Executes once; a list of new arrays, one for each output."""
        if acl.rt.set_context(self._context) != 0:
            raise RuntimeError('the session was freed')
        inputs = self._bind_inputs(feeds)
        outputs = self._bind_outputs()
        begin = time.perf_counter()
        code = acl.mdl.execute(self._id, self._input_set, self._output_set)
        self.summary.exec_time_list.append((time.perf_counter() - begin) * 1e3)
        if code != 0:
            raise _device.AclError('acl.mdl.execute', code)
        del inputs  # they had to live until here
        if self._copies:
            for i, array in enumerate(outputs):
                code = acl.rt.memcpy(_address(array), array.nbytes, self._output_memory[i], array.nbytes, _DEVICE_TO_HOST)
                _device.check(code, 'copying an output')
        if self.dynamic:
            return [self._true_shape(i, array) for i, array in enumerate(outputs)]
        return outputs

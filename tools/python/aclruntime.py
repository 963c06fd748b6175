"""aclruntime: the classes under ais_bench's InferSession, for scripts that use them directly."""
import enum

import numpy as np

from omkit.infer_session import InferSession


class dtype(enum.Enum):
    """Element types, by numpy's names."""
    bool = 'bool'
    uint8 = 'uint8'
    int8 = 'int8'
    uint16 = 'uint16'
    int16 = 'int16'
    uint32 = 'uint32'
    int32 = 'int32'
    uint64 = 'uint64'
    int64 = 'int64'
    float16 = 'float16'
    float32 = 'float32'
    float64 = 'float64'


class session_options:
    """Options of an InferenceSession."""

    def __init__(self):
        self.acl_json_path = ''
        self.log_level = 1
        self.loop = 1


class Tensor:
    """An array on its way to or from a model; host and device memory are the same here."""

    def __init__(self, array):
        self._array = np.asarray(array)

    def __array__(self, dtype=None):  # pylint: disable=redefined-outer-name
        return self._array if dtype is None else self._array.astype(dtype)

    def to_device(self, device_id):
        """Nothing to move."""

    def to_host(self):
        """Nothing to move."""

    @property
    def shape(self):
        return list(self._array.shape)

    @property
    def dtype(self):
        return self._array.dtype


BaseTensor = Tensor


class InferenceSession(InferSession):
    """InferenceSession(model, device, options); run() takes and returns Tensors."""

    def __init__(self, model_path, device_id, options=None):
        options = options or session_options()
        super().__init__(device_id, model_path, options.acl_json_path or None, loop=options.loop)

    def run(self, output_names, feeds):  # pylint: disable=arguments-renamed
        """All outputs, or those named."""
        outputs = [Tensor(a) for a in super().run(feeds)]
        names = [t.name for t in self.get_outputs()]
        unknown = [n for n in output_names or [] if n not in names]
        if unknown:
            raise ValueError(f'outputs {unknown}; the model has {names}')
        return [outputs[names.index(n)] for n in output_names] if output_names else outputs

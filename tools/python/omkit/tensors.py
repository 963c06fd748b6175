"""What a model's inputs and outputs are, in numpy's terms."""
import dataclasses

import numpy as np

import acl

# aclDataType -> numpy. bfloat16 has no numpy type; its bits are shown as uint16.
NUMPY_TYPES = {0: np.float32, 1: np.float16, 2: np.int8, 3: np.int32, 4: np.uint8, 6: np.int16, 7: np.uint16, 8: np.uint32, 9: np.int64,
               10: np.uint64, 11: np.float64, 12: np.bool_, 16: np.complex64, 17: np.complex128, 27: np.uint16}
GEAR_INPUT = 'ascend_mbatch_shape_data'


@dataclasses.dataclass
class TensorDesc:
    """One input or output: `shape` has -1 where a gear or the caller decides; `size` is elements, `realsize` bytes of the largest form."""
    name: str
    datatype: np.dtype
    format: int  # aclFormat: 0 NCHW, 1 NHWC, 2 ND
    shape: list
    size: int
    realsize: int


def describe(desc, index, is_input):
    """TensorDesc of entry `index` of an aclmdlDesc."""
    side = 'input' if is_input else 'output'
    ask = lambda what: getattr(acl.mdl, what.format(side))(desc, index)
    dims, code = ask('get_{}_dims')
    if code != 0:
        raise RuntimeError(f'{side} {index}: {acl.get_recent_err_msg()}')
    number = ask('get_{}_data_type')
    if number not in NUMPY_TYPES:
        raise TypeError(f'{side} {index}: aclDataType {number} has no numpy type')
    datatype = np.dtype(NUMPY_TYPES[number])
    realsize = ask('get_{}_size_by_index')
    return TensorDesc(ask('get_{}_name_by_index'), datatype, ask('get_{}_format'), dims['dims'], realsize // datatype.itemsize, realsize)

"""Files and made data as batches of arrays for a session."""
import itertools
import os

import numpy as np

SUFFIXES = ('.npy', '.bin', '.raw')


def _files_of(entry):
    if not os.path.isdir(entry):
        if not os.path.isfile(entry):
            raise FileNotFoundError(f"--input: there is no file or folder '{entry}'")
        return [entry]
    files = sorted(os.path.join(entry, name) for name in os.listdir(entry) if name.endswith(SUFFIXES))
    if not files:
        raise FileNotFoundError(f"--input: folder '{entry}' holds no {', '.join(SUFFIXES)} file")
    return files


def files_per_input(text, inputs):
    """[[files of input 0], [files of input 1], ...]. Files of a model with one input may simply be listed."""
    entries = text.split(',')
    lists = [_files_of(entry) for entry in entries]
    if len(lists) != len(inputs):
        if len(inputs) == 1:
            return [list(itertools.chain(*lists))]
        raise ValueError(f"--input names {len(entries)} entries, the model has {len(inputs)} inputs: {[t.name for t in inputs]}")
    longest = max(len(files) for files in lists)
    # Too few files of one input are repeated.
    return [files + [files[-1]] * (longest - len(files)) for files in lists]


def _load(path, tensor):
    if path.endswith('.npy'):
        return np.load(path)
    raw = np.fromfile(path, np.uint8)
    if raw.size % tensor.datatype.itemsize:
        raise ValueError(f"'{path}' has {raw.size} bytes, input '{tensor.name}' has elements of {tensor.datatype.itemsize}")
    return raw.view(tensor.datatype)


def _joined(arrays, files, tensor, shape):
    """The files of one batch as one array of the input's shape."""
    joined = arrays[0] if len(arrays) == 1 else np.concatenate([a.reshape(-1) for a in arrays])
    if joined.dtype != tensor.datatype:
        raise TypeError(f"'{files[0]}' holds {joined.dtype}, input '{tensor.name}' takes {tensor.datatype}")
    if shape is None or joined.ndim == len(shape) and joined.size == np.prod(shape):
        return joined
    if joined.size != np.prod(shape):
        raise ValueError(f"'{files[0]}' and what follows has {joined.size} elements, input '{tensor.name}' of shape {shape} takes {np.prod(shape)}")
    return joined.reshape(shape)


def batches(lists, inputs, shapes):
    """Yields (files of input 0 in the batch, arrays). `shapes`: what each input takes now; None: the shape of the file decides."""
    per_batch = 1
    first = _load(lists[0][0], inputs[0])
    if shapes[0] is not None and first.size:
        elements = int(np.prod(shapes[0]))
        per_batch = max(elements // first.size, 1)
    for begin in range(0, len(lists[0]), per_batch):
        real = lists[0][begin:begin + per_batch]
        arrays = []
        for files, tensor, shape in zip(lists, inputs, shapes):
            chosen = files[begin:begin + per_batch]
            chosen += [chosen[-1]] * (per_batch - len(chosen))  # the last batch is filled up
            arrays.append(_joined([_load(f, tensor) for f in chosen], chosen, tensor, shape))
        yield real, arrays


def made(inputs, shapes, kind):
    """Zeros or random numbers for each input."""
    generator = np.random.default_rng(0)
    arrays = []
    for tensor, shape in zip(inputs, shapes):
        if kind == 'zero':
            arrays.append(np.zeros(shape, tensor.datatype))
        elif tensor.datatype.kind == 'f':
            arrays.append(generator.random(shape, np.float32).astype(tensor.datatype))
        else:
            arrays.append(generator.integers(0, 2 if tensor.datatype.kind == 'b' else 128, shape).astype(tensor.datatype))
    return arrays


def shape_range(text):
    """Every --dymShape that a --dymShape_range stands for."""
    if os.path.isfile(text):
        with open(text, encoding='utf-8') as f:
            return [line.strip() for line in f if line.strip()]
    axes = []
    for part in text.strip('; ').split(';'):
        name, _, dims = part.rpartition(':')
        choices = []
        for dim in dims.split(','):
            low, tilde, high = dim.partition('~')
            choices.append(range(int(low), int(high) + 1) if tilde else [int(d) for d in dim.split('-')])
        axes.append([f"{name}:{','.join(map(str, c))}" for c in itertools.product(*choices)])
    return [';'.join(choice) for choice in itertools.product(*axes)]

"""Compares what an offline model computes with what another runtime did."""
import dataclasses

import numpy as np

from omkit.session import Session


def cosine(a, b):
    """Cosine similarity of two arrays as vectors, in double precision; 1 for two zero vectors."""
    a, b = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if norms == 0:
        return 1.0 if np.array_equal(a, b) else 0.0
    return float(np.clip(np.dot(a, b) / norms, -1, 1))  # rounding may pass 1


@dataclasses.dataclass
class OutputReport:
    """How one output agrees."""
    name: str
    cosine: float
    max_difference: float
    same_top1: float  # part of the rows (last axis) whose largest element is the same

    def __str__(self):
        return f'{self.name:<32} cosine {self.cosine:.6f}  largest difference {self.max_difference:.6g}  same top-1 {self.same_top1:.2%}'


@dataclasses.dataclass
class Report:
    """One row for each output; true when every cosine is at least `min_cosine`."""
    outputs: list
    min_cosine: float

    def __bool__(self):
        return all(row.cosine >= self.min_cosine for row in self.outputs)

    def __str__(self):
        return '\n'.join(str(row) for row in self.outputs) + f"\n{'agrees' if self else 'DIFFERS'} (cosine at least {self.min_cosine})"


def compare(expected, actual, names=None, min_cosine=0.99):
    """Report on two lists of arrays. ValueError when numbers or shapes differ."""
    if len(expected) != len(actual):
        raise ValueError(f'{len(expected)} outputs expected, there are {len(actual)}')
    rows = []
    for i, (want, got) in enumerate(zip(expected, actual)):
        want, got = np.asarray(want), np.asarray(got)
        if want.size != got.size:
            raise ValueError(f'output {i} has shape {list(got.shape)}, expected {list(want.shape)}')
        got = got.reshape(want.shape)
        difference = np.abs(want.astype(np.float64) - got.astype(np.float64)).max() if want.size else 0.0
        top1 = (want.argmax(-1) == got.argmax(-1)).mean() if want.size and want.ndim else 1.0
        rows.append(OutputReport(names[i] if names else f'output {i}', cosine(want, got), float(difference), float(top1)))
    return Report(rows, min_cosine)


def verify(om_path, feeds, expected, min_cosine=0.99, device_id=0):
    """Runs the model on `feeds` and compares with `expected`, the outputs of another runtime on the same arrays."""
    with Session(device_id, om_path) as session:
        return compare(expected, session.run(feeds), [t.name for t in session.outputs], min_cosine)

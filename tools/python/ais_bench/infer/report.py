"""What ais_bench writes: output files, the summary on the console and as JSON."""
import json
import os

import numpy as np


class OutputFolder:
    """<output>/<date and time>/<input file>_<output index>.<format>"""

    def __init__(self, root, name, outfmt):
        self.path = os.path.join(root, name)
        os.makedirs(self.path, exist_ok=True)
        self.summary_path = os.path.join(root, name + '_summary.json')
        self._outfmt = outfmt.lower()
        self.files = {}  # number of the input -> file names

    def write(self, stems, outputs, axis):
        """One file for each output and input file; `stems` are the input files of the batch without folder and suffix."""
        for index, output in enumerate(outputs):
            parts = [output]
            if len(stems) > 1 and output.ndim > axis and output.shape[axis] % len(stems) == 0:
                parts = np.split(output, len(stems), axis)
            for stem, part in zip(stems, parts):
                path = os.path.join(self.path, f'{stem}_{index}.{self._outfmt}')
                self._write_one(path, np.ascontiguousarray(part))
                self.files.setdefault(stem, []).append(path)

    def _write_one(self, path, array):
        if self._outfmt == 'npy':
            np.save(path, array)
        elif self._outfmt == 'bin':
            array.tofile(path)
        else:
            rows = array.reshape(-1, array.shape[-1] if array.ndim else 1)
            np.savetxt(path, rows, fmt='%d' if array.dtype.kind in 'iub' else '%.9g')


def statistics(times):
    """min, max, mean, median and 99th percentile of milliseconds."""
    return {'min': float(np.min(times)), 'max': float(np.max(times)), 'mean': float(np.mean(times)), 'median': float(np.median(times)),
            'percentile(99%)': float(np.percentile(times, 99))}


def _line(name, s):
    return (f"[INFO] {name} (ms): min = {s['min']:.5g}, max = {s['max']:.5g}, mean = {s['mean']:.5g}, median = {s['median']:.5g}, "
            f"percentile(99%) = {s['percentile(99%)']:.5g}")


def print_summary(times, batchsize, everything):
    """The tail that scripts look for."""
    compute = statistics(times)
    print('[INFO] -----------------Performance Summary------------------')
    if everything:
        print(_line('H2D_latency', statistics([0.0])))
    print(_line('NPU_compute_time', compute))
    if everything:
        print(_line('D2H_latency', statistics([0.0])))
    print(f"[INFO] throughput 1000*batchsize.mean({batchsize})/NPU_compute_time.mean({compute['mean']:.5g}): {1000 * batchsize / compute['mean']:.5g}")
    print('[INFO] ------------------------------------------------------')


def write_summary(folder, times, batchsize, arguments):
    """<date and time>_summary.json beside the folder of the outputs."""
    compute = statistics(times)
    summary = {
        'NPU_compute_time': {**compute, 'count': len(times)},
        'H2D_latency': {**statistics([0.0]), 'count': 0},
        'D2H_latency': {**statistics([0.0]), 'count': 0},
        'throughput': 1000 * batchsize / compute['mean'],
        'filesinfo': {str(i): {'infile': stem, 'outfiles': files} for i, (stem, files) in enumerate(folder.files.items())},
        'args': {k: v for k, v in vars(arguments).items() if v is not None},
    }
    with open(folder.summary_path, 'w', encoding='utf-8') as f:
        json.dump(summary, f, indent=2)

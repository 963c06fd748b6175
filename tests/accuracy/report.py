#!/usr/bin/python3
"""Measures post-training quantization on real networks and writes docs/accuracy.md.

  ./bazelw run //tests/accuracy:report -- [--write] [--work FOLDER] [NET...]

Each network of NETS is compiled with default flags and its calibration samples, and compared with its float form on other samples. Beside
it runs the usual quantization: minimum and maximum of each tensor, per-channel weights, as QDQ ONNX on ONNX Runtime. Without names of
networks two more tables follow: models that come quantized, and DeepLab's class map. Without --write tables are printed. Needs the test models and data of ../shared, and installs python3-numpy, python3-pil, dataset-fashion-mnist and ONNX
Runtime where it may; 'skipped: why' and exit status 77 where it may not.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.environ.get('OMKIT_SHARED', os.path.join(ROOT, '..', 'shared'))
ORACLE = os.path.join(ROOT, 'tests', 'oracle')

# Networks that come quantized: model, data, label offset, title.
QUANTIZED = [
    ('mobilenet_v1_025_128_qat_u8_qdq', 'img128', 1, 'MobileNetV1-0.25-128, uint8 QDQ, photographs'),
    ('mobilenet_v2_224_qat_u8_qdq', 'img224', 1, 'MobileNetV2-1.0-224, uint8 QDQ, photographs'),
    ('kws_dscnn_int8_qdq', 'kws', 0, 'DS-CNN, int8 QDQ, keyword spotting'),
]

# name -> (model, data, label offset or None, input shape or None, what must hold, title)
NETS = {
    'fmnist': ('fmnist_resdw_fp32', 'fmnist', 0, 'input:1,1,28,28', ('points', 0.3), 'ResNet with depthwise layers, Fashion-MNIST'),
    'kws': ('kws_dscnn_fp32', 'kws', 0, None, ('points', 1.0), 'DS-CNN, keyword spotting'),
    'mobilenet_v1': ('mobilenet_v1_025_128_fp32', 'img128', 1, None, ('points', 1.0), 'MobileNetV1-0.25-128, photographs'),
    'mobilenet_v2': ('mobilenet_v2_224_fp32', 'img224', 1, None, ('points', 1.0), 'MobileNetV2-1.0-224, photographs'),
    'resnet8': ('cifar10_resnet8_fp32', 'cifar', None, None, ('cosine', 0.995), 'ResNet-8, CIFAR-10'),
    'ad01': ('ad01_autoencoder_fp32', 'ad01', None, None, ('cosine', 0.995), 'autoencoder, anomaly detection'),
    'ultraface': ('ultraface_rfb320', 'ultraface', None, None, ('cosine', 0.995), 'UltraFace RFB-320'),
    'yunet': ('yunet_n_320', 'yunet', None, None, ('cosine', 0.995), 'YuNet 320'),
    'ppocr_det': ('ppocrv4_det', 'ppocr_det', None, 'x:1,3,320,320', ('cosine', 0.995), 'PP-OCRv4 detection'),
    'deeplab': ('deeplabv3_dm05_513_fp32', 'deeplab', None, None, ('cosine', 0.995), 'DeepLabV3 MobileNetV2-0.5, class map'),
}


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, universal_newlines=True, **more).stdout


def skip(why):
    print('skipped:', why)
    sys.exit(0 if '--test' in sys.argv else 77)


class Bench:
    """The tools, and a folder with data and results."""

    def __init__(self, atc, accuracy, work):
        self.atc, self.accuracy, self.work = atc, accuracy, work
        oracle = subprocess.run([os.path.join(ORACLE, 'install.sh')], check=False, stdout=subprocess.PIPE, universal_newlines=True)
        if oracle.returncode != 0:
            skip(oracle.stdout.strip())
        os.environ['OMKIT_ORACLE_DIR'] = oracle.stdout.strip().split('\n')[-1]

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def data(self, kind):
        """Makes calib/, eval/ and labels.txt of one kind."""
        out = self.path('data', kind)
        if os.path.exists(os.path.join(out, 'done')):
            return out
        photographs = os.path.join(SHARED, 'data', 'imagenet_sample')
        if kind in ('img224', 'img128'):
            run(os.path.join(ORACLE, 'prep_images.py'), photographs, out, '--size', kind[3:])
        elif kind == 'kws':
            run(os.path.join(ORACLE, 'prep_kws.py'), os.path.join(SHARED, 'data', 'kws01'), out)
        elif kind == 'fmnist':
            run('/usr/bin/python3', os.path.join(ROOT, 'examples', 'fashion', 'prepare.py'), out)
            os.makedirs(os.path.join(out, 'eval'), exist_ok=True)
            os.replace(os.path.join(out, 'eval.bin'), os.path.join(out, 'eval', 'eval.bin'))
        else:
            run('/usr/bin/python3', os.path.join(HERE, 'prep.py'), kind, photographs, out)
        open(os.path.join(out, 'done'), 'w').close()
        return out

    def compile(self, model, shape, out, *flags):
        start = time.time()
        run(self.atc, '--framework=5', f'--model={model}', f'--output={out}', '--soc_version=host', '--quant_type=1', '--log=error',
            *([f'--input_shape={shape}'] if shape else []), *flags)
        return time.time() - start

    def compare(self, model, om, data, offset, *flags):
        labels = [] if offset is None else ['--labels', os.path.join(data, 'labels.txt'), '--label-offset', offset]
        report = om + '.json'
        run(self.accuracy, '--model', model, '--om', om, '--data', os.path.join(data, 'eval'), '--json', report, *labels, *flags)
        with open(report, encoding='utf-8') as f:
            return json.load(f)


def ort_outputs(model, shape, data, out):
    """Runs the samples of data/eval on ONNX Runtime: output tensors of all samples, by output."""
    import numpy
    dims = ':' + shape.split(':')[1].replace(',', 'x') if shape else ''
    name = json.loads(run('node', os.path.join(ORACLE, 'ort_run.mjs'), '--model', model, '--info'))['inputs'][0]['name']
    source = os.path.join(data, 'eval')
    split = []
    if os.listdir(source) == ['eval.bin']:
        source, split = os.path.join(source, 'eval.bin'), ['--split']
    run('node', os.path.join(ORACLE, 'ort_run.mjs'), '--model', model, '--input', f'{name}={source}{dims}', '--out', out, *split)
    with open(os.path.join(out, 'meta.json'), encoding='utf-8') as f:
        meta = json.load(f)
    types = {'float32': '<f4', 'int64': '<i8', 'int32': '<i4', 'uint8': 'u1'}
    stems = meta['samples']
    return stems, [numpy.fromfile(os.path.join(out, o['file']), types[o['type']]).astype('f8').reshape(len(stems), -1) for o in meta['outputs']]


def worst_cosine(want, have):
    import numpy
    worst = 1
    for w, h in zip(want, have):
        norms = numpy.linalg.norm(w, axis=1) * numpy.linalg.norm(h, axis=1)
        worst = min(worst, float(numpy.mean((w * h).sum(1) / numpy.where(norms > 0, norms, 1))))
    return worst


def top1(stems, scores, data, offset):
    import numpy
    with open(os.path.join(data, 'labels.txt'), encoding='ascii') as f:
        rows = [line.split() for line in f if line.strip()]
    by_stem = {r[0]: int(r[1]) for r in rows} if len(rows[0]) == 2 else {f'{i:06}': int(r[0]) for i, r in enumerate(rows)}
    hits = [int(numpy.argmax(s)) == by_stem[stem] + offset for stem, s in zip(stems, scores)]
    return 100 * sum(hits) / len(hits)


def plain_minmax(bench, model, shape, data, out):
    """The QDQ form of plain min-max quantization: a recipe without equalization and corrections, exported."""
    calib = f'--calibrate_tool_path={os.path.join(data, "calib")}'
    recipe = out + '.recipe.json'
    bench.compile(model, shape, out, calib, '--calibrate_method=minmax', '--quant_effort=fast', f'--quant_recipe_out={recipe}')
    with open(recipe, encoding='utf-8') as f:
        content = json.load(f)
    if content['equalize']:
        # Ranges of equalized tensors are those of the tensor itself: equalization leaves them as they are.
        content['equalize'] = {}
    for node in content['nodes'].values():
        node.pop('bias', None)
    with open(recipe, 'w', encoding='utf-8') as f:
        json.dump(content, f)
    bench.compile(model, shape, out, f'--quant_recipe={recipe}', f'--export_fake_quant={out}.onnx')
    return out + '.onnx'


def measure(bench, name):
    stem, kind, offset, shape, (what, limit), title = NETS[name]
    model = os.path.join(SHARED, 'models', stem + '.onnx')
    data = bench.data(kind)
    out = bench.path(name)
    seconds = bench.compile(model, shape, out, f'--calibrate_tool_path={os.path.join(data, "calib")}')
    result = bench.compare(model, out + '.om', data, offset, '--layer-samples', 0)
    stems, want = ort_outputs(model, shape, data, bench.path(name + '_ort'))
    _, have = ort_outputs(plain_minmax(bench, model, shape, data, bench.path(name + '_minmax')), shape, data, bench.path(name + '_ort_minmax'))
    row = {'title': title, 'samples': len(stems), 'seconds': seconds, 'cosine': min(o['to_float']['cosine'] for o in result['outputs']),
           'sqnr': min(o['to_float']['sqnr_db'] for o in result['outputs']), 'ort_cosine': worst_cosine(want, have)}
    if offset is not None:
        row.update(top1_float=result['accuracy']['float']['top1_percent'], top1=result['accuracy']['om']['top1_percent'],
                   top1_ort=top1(stems, have[0], data, offset), top1_ort_float=top1(stems, want[0], data, offset))
        row['good'] = row['top1'] >= row['top1_float'] - limit
        row['as_good'] = row['top1'] >= row['top1_ort']
    else:
        row['good'] = row['cosine'] >= limit
        row['as_good'] = row['cosine'] >= row['ort_cosine']
    row['needs'] = f'within {limit} points' if what == 'points' else f'cosine {limit}'
    return row


def table(rows):
    lines = ['| network | samples | float top-1 | INT8 top-1 | min-max on ONNX Runtime | cosine | min-max cosine | SQNR | needs | |',
             '|---|---|---|---|---|---|---|---|---|---|']
    for r in rows:
        percent = lambda key: f'{r[key]:.2f} %' if key in r else ''
        lines.append(f'| {r["title"]} | {r["samples"]} | {percent("top1_float")} | {percent("top1")} | {percent("top1_ort")} | {r["cosine"]:.5f} | '
                     f'{r["ort_cosine"]:.5f} | {r["sqnr"]:.1f} dB | {r["needs"]} | {"met" if r["good"] else "**missed**"} |')
    return '\n'.join(lines) + '\n'


def quantized_table(bench):
    """The model's own arithmetic, the offline model and ONNX Runtime side by side."""
    lines = ['| network | samples | own arithmetic | offline model | ONNX Runtime | cosine to the own arithmetic: offline model | ONNX Runtime |',
             '|---|---|---|---|---|---|---|']
    for stem, kind, offset, title in QUANTIZED:
        model, data, out = os.path.join(SHARED, 'models', stem + '.onnx'), bench.data(kind), bench.path(stem)
        run(bench.atc, '--framework=5', f'--model={model}', f'--output={out}', '--soc_version=host', '--log=error')
        r = bench.compare(model, out + '.om', data, offset, '--layer-samples', 0, '--reference', 'onnxruntime')
        percent = [f'{r["accuracy"][side]["top1_percent"]:.2f} %' for side in ('float', 'om', 'reference')]
        cosine = [f'{min(o[side]["cosine"] for o in r["outputs"]):.5f}' for side in ('to_float', 'float_to_reference')]
        lines.append('| ' + ' | '.join([title, str(r['samples'])] + percent + cosine) + ' |')
    return '\n'.join(lines) + '\n'


def class_map_table(bench):
    """What the class map of DeepLab gains from float layers, first layers first."""
    stem, kind, _, shape, _, _ = NETS['deeplab']
    model, data, out = os.path.join(SHARED, 'models', stem + '.onnx'), bench.data(kind), bench.path('class_map')
    recipe = out + '.recipe.json'
    bench.compile(model, shape, out, f'--calibrate_tool_path={os.path.join(data, "calib")}', f'--quant_recipe_out={recipe}')
    with open(recipe, encoding='utf-8') as f:
        content = json.load(f)
    order = sorted(content['nodes'], key=lambda node: int(node.rsplit('_', 1)[1]))  # the exporter's numbers follow the graph
    lines = [f'| of {len(order)} quantized nodes in float | cosine of class numbers | pixels of equal class |', '|---|---|---|']

    for count in (0, 10, 40, 50, 54, 56, len(order)):
        content['nodes'].update({node: {'precision': 'float'} for node in order[:count]})
        with open(recipe, 'w', encoding='utf-8') as f:
            json.dump(content, f)
        bench.compile(model, shape, out, f'--quant_recipe={recipe}')
        to_float = bench.compare(model, out + '.om', data, None, '--layer-samples', 0)['outputs'][0]['to_float']
        lines.append(f'| {count} | {to_float["cosine"]:.3f} | {to_float["equal_percent"]:.1f} % |')
    return '\n'.join(lines) + '\n'


def write(name, text):
    """Puts a table between its marks in docs/accuracy.md."""
    page = os.path.join(os.environ.get('BUILD_WORKSPACE_DIRECTORY', ROOT), 'docs', 'accuracy.md')
    begin, end = f'<!-- {name}: begin -->\n', f'<!-- {name}: end -->\n'
    with open(page, encoding='utf-8') as f:
        before, rest = f.read().split(begin)
    with open(page, 'w', encoding='utf-8') as f:
        f.write(before + begin + text + end + rest.split(end)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--atc', default=os.path.join(os.getcwd(), 'tools/atc/atc'))
    parser.add_argument('--accuracy', default=os.path.join(os.getcwd(), 'tools/accuracy/accuracy'))
    parser.add_argument('--work', help='folder for data and results, kept (default: a temporary one)')
    parser.add_argument('--write', action='store_true', help='put the tables into docs/accuracy.md')
    parser.add_argument('--test', action='store_true', help='exit status 0 when skipped; also fail where min-max on ONNX Runtime is better')
    parser.add_argument('nets', nargs='*', metavar='NET', help=f'of {", ".join(NETS)} (default: all)')
    args = parser.parse_args()
    if not os.path.isdir(os.path.join(SHARED, 'models')):
        skip(f'no test models in {SHARED}')
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.atc, args.accuracy, args.work or folder)
        rows = []
        for name in args.nets or NETS:
            rows.append(measure(bench, name))
            print(json.dumps({name: rows[-1]}), flush=True)
        tables = {'measured': table(rows)}
        if not args.nets:
            tables.update({'quantized': quantized_table(bench), 'class map': class_map_table(bench)})
    for name, text in tables.items():
        print(text)
        if args.write:
            write(name, text)
    sys.exit(0 if all(r['good'] and (r['as_good'] or not args.test) for r in rows) else 1)


if __name__ == '__main__':
    main()

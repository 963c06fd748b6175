"""python3 -m ais_bench --model net.om [--input ...]; --help lists the options."""
import json
import os
import sys
import time

from ais_bench.infer import arguments, inputs, report
from omkit.infer_session import InferSession


def choose_shapes(session, args, shape):
    """Sets gear or shapes by the command line; what each input takes then, None where the files decide."""
    tensors = session.get_inputs()
    sizes = [int(n) for n in args.outputSize.split(',')] if args.outputSize else None
    if sizes:
        session.set_custom_outsize(sizes)
    if args.dymBatch:
        session.set_dynamic_batchsize(args.dymBatch)
        return [[args.dymBatch if d == -1 else d for d in t.shape] for t in tensors]
    if args.dymHW:
        height, width = (int(n) for n in args.dymHW.split(','))
        session.set_dynamic_hw(width, height)
        size = {id(t): iter((height, width)) for t in tensors}
        return [[next(size[id(t)]) if d == -1 else d for d in t.shape] for t in tensors]
    text = args.dymDims or shape
    if text:
        (session.set_dynamic_dims if args.dymDims else session.set_dynamic_shape)(text)
        return session._session.names_to_shapes(text)
    if any(-1 in t.shape for t in tensors):
        if args.input and (args.auto_set_dymdims_mode or args.auto_set_dymshape_mode):
            return [None] * len(tensors)
        raise ValueError('the model has open dimensions: give --dymBatch, --dymHW, --dymDims or --dymShape')
    return [t.shape for t in tensors]


def mode_of(args):
    """How infer() chooses shapes when the files decide."""
    return 'dyndims' if args.auto_set_dymdims_mode else 'dynshape' if args.auto_set_dymshape_mode else 'static'


def write_config(args):
    """The file for acl.init that switches profiling or dumps on; what --acl_json_path names without them."""
    if not args.profiler and not args.dump:
        return args.acl_json_path
    output = os.path.abspath(args.output)
    if args.profiler:
        config = {'profiler': {'switch': 'on', 'output': output, 'aic_metrics': 'PipeUtilization', 'aicpu': 'on'}}
    else:
        config = {'dump': {'dump_list': [], 'dump_op_switch': 'on', 'dump_path': output, 'dump_mode': 'all'}}
    path = os.path.join(output, 'acl.json')
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(config, f)
    return path


def run(session, args, folder, shape=None):
    """All inputs in one shape; returns the milliseconds of each measured execution and the batch size."""
    tensors = session.get_inputs()
    shapes = choose_shapes(session, args, shape)
    if args.input:
        work = inputs.batches(inputs.files_per_input(args.input, tensors), tensors, shapes)
    else:
        work = [(['pure_infer_data'], inputs.made(tensors, shapes, args.pure_data_type))]
    times, warm = [], False
    for files, arrays in work:
        infer = lambda: session.infer(arrays, mode_of(args)) if None in shapes else session.run(arrays)
        if not warm:
            for _ in range(args.warmup_count):
                infer()
            warm = True
        session.reset_summaryinfo()
        for _ in range(args.loop):
            outputs = infer()
        times += session.summary().exec_time_list
        if folder is not None:
            folder.write([os.path.splitext(os.path.basename(f))[0] for f in files], outputs, args.output_batchsize_axis)
    first = shapes[0] if shapes and shapes[0] else [1]
    return times, args.batchsize or (first[0] if first else 1)


def main():
    args = arguments.parse()
    folder = None
    if args.output:
        folder = report.OutputFolder(args.output, args.output_dirname or time.strftime('%Y_%m_%d-%H_%M_%S'), args.outfmt)
    session, times, batchsize = None, [], 1
    try:
        config = write_config(args)
        for device in args.device.split(','):
            session = InferSession(int(device), args.model, config, args.debug)
            print(f'[INFO] load model {args.model} success')
            for shape in inputs.shape_range(args.dymShape_range) if args.dymShape_range else [args.dymShape]:
                some, batchsize = run(session, args, folder, shape)
                times += some
            session.free_resource()
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        print(f'[ERROR] {error}', file=sys.stderr)
        return 1
    report.print_summary(times, batchsize, args.display_all_summary)
    if folder is not None:
        report.write_summary(folder, times, batchsize, args)
        print(f'[INFO] outputs and summary are in {folder.path} and {folder.summary_path}')
    session.finalize()
    return 0


if __name__ == '__main__':
    sys.exit(main())

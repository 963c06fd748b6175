"""The command line of ais_bench."""
import argparse


def _switch(text):
    if text not in ('0', '1', 'false', 'true', 'False', 'True'):
        raise argparse.ArgumentTypeError(f"'{text}' is not 0 or 1")
    return text in ('1', 'true', 'True')


def _at_least(least):
    def number(text):
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least}")
        return int(text)
    return number


def parse(arguments=None):
    """argparse.Namespace; ends the process with status 2 for a wrong command line."""
    p = argparse.ArgumentParser('ais_bench', allow_abbrev=False, description='Runs an offline model on files or made data and reports its speed.')
    p.add_argument('--model', '-m', required=True, help='offline model (.om)')
    p.add_argument('--input', '-i', help='file1,file2 or dir1,dir2: one entry for each model input, .npy or raw .bin (default: made data)')
    p.add_argument('--output', '-o', help='folder for outputs and summary (default: neither is written)')
    p.add_argument('--output_dirname', help='folder inside --output (default: date and time)')
    p.add_argument('--outfmt', default='BIN', choices=['NPY', 'BIN', 'TXT'])
    p.add_argument('--loop', '-l', type=_at_least(1), default=1, help='executions of each input')
    p.add_argument('--warmup_count', type=_at_least(0), default=1, help='executions before the measured ones')
    p.add_argument('--device', '-d', default='0', help='device, or several: 0,1')
    p.add_argument('--batchsize', type=_at_least(1), help="batch for the throughput line (default: the first input's first dimension)")
    p.add_argument('--pure_data_type', default='zero', choices=['zero', 'random'], help='made data')
    p.add_argument('--dymBatch', type=_at_least(1), help='gear: batch')
    p.add_argument('--dymHW', help='gear: height,width')
    p.add_argument('--dymDims', help="gear: 'name:1,3,224,224;...'")
    p.add_argument('--dymShape', help="shapes: 'name:1,3,224,224;...'")
    p.add_argument('--dymShape_range', help="several shapes: 'name:1~4,3,224-256' (a~b every number, a-b these numbers), or a file with one --dymShape a line")
    p.add_argument('--outputSize', help='bytes of each output of a model with open dimensions: 10000,10000')
    p.add_argument('--auto_set_dymdims_mode', type=_switch, default=False, help='1: gears from the shapes of .npy inputs')
    p.add_argument('--auto_set_dymshape_mode', type=_switch, default=False, help='1: shapes from those of .npy inputs')
    p.add_argument('--profiler', type=_switch, default=False, help='1: profiles into --output, as msprof does')
    p.add_argument('--dump', type=_switch, default=False, help='1: dumps inputs and outputs of every operator into --output')
    p.add_argument('--acl_json_path', help='configuration file for acl.init')
    p.add_argument('--debug', type=_switch, default=False)
    p.add_argument('--display_all_summary', type=_switch, default=False, help='1: also the times of copies, which do not happen here')
    p.add_argument('--output_batchsize_axis', type=_at_least(0), default=0, help='axis along which the outputs of a batch are cut into one file per input file')
    args = p.parse_args(arguments)
    shapes = [name for name in ('dymBatch', 'dymHW', 'dymDims', 'dymShape', 'dymShape_range') if getattr(args, name) is not None]
    if len(shapes) > 1:
        p.error(f"--{shapes[0]} and --{shapes[1]} exclude each other")
    if args.profiler and args.dump:
        p.error('--profiler and --dump exclude each other')
    if (args.profiler or args.dump) and (not args.output or args.acl_json_path):
        p.error('--profiler and --dump need --output and exclude --acl_json_path')
    if args.output_dirname and not args.output:
        p.error('--output_dirname needs --output')
    return args

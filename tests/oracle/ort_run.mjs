#!/usr/bin/env node
// Runs an ONNX model with ONNX Runtime on the CPU, one thread, and writes its outputs as raw little-endian .bin files.
// This is the reference that omkit's tests compare against. onnxruntime-node comes from the folder that install.sh fills.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';

const USAGE = `usage: ort_run.mjs --model M.onnx --info
       ort_run.mjs --model M.onnx --input NAME=SOURCE[:DIMS][:DTYPE] ... --out DIR [options]

SOURCE  FILE         raw little-endian elements of one tensor
        FOLDER       one sample per .bin file, in the order of sorted names; all samples go through one session
        lcg,S,LO,HI  made numbers: s = S; for each element s = (s*1664525 + 1013904223) mod 2^32, value = LO + (HI-LO)*(s>>8)/2^24
                     (computed in double, then rounded to DTYPE; integer types take the floor)
        const,V      every element is V
        (empty)      the files come from --batch-list
DIMS    1x3x48x192 or 'scalar'; needed only where the model's own dimensions are dynamic (a lone dynamic one is inferred from a file's size)
DTYPE   float32 (default: the model's), float16, float64, int8, uint8, int16, uint16, int32, uint32, int64, uint64, bool

options
  --level all|extended|basic|disable   graph optimizations (default all)
  --batch-list LIST   one sample per line: NAME=FILE ... or, for one listed input, just FILE; paths are relative to LIST
  --split             a FILE that holds k tensors back to back is k samples
  --write-inputs      also write input_<k>.bin (one sample; with --steps input_<k>/<step>.bin)
  --steps N           N runs behind one another, samples 000000, 000001, ...; a made input lcg,S,... is lcg,S+<step>,... in each
  --state IN=OUT      with --steps: from the second step on, input IN is the output OUT of the step before
  --labels FILE       top-1 and top-5 of output 0. A line is 'LABEL' (order of the samples) or 'STEM LABEL'; ties go to the lowest class
  --label-offset K    added to every label (default 0)
  --threads N         default 1

One sample:   DIR/output_<k>.bin for the k-th output of the model, DIR/meta.json.
More samples: DIR/output_<k>/<stem>.bin per sample, DIR/output_<k>.bin with all of them in order, DIR/meta.json.
Exit status: 0 done, 1 failed, 2 wrong usage, 77 onnxruntime-node is not installed.`;

const ARRAYS = {float32: Float32Array, float64: Float64Array, float16: Uint16Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array};
const LEVELS = {all: 'all', extended: 'extended', basic: 'basic', disable: 'disabled', disabled: 'disabled'};

class UsageError extends Error {}

function loadOrt() {
  const here = path.dirname(fs.realpathSync(fileURLToPath(import.meta.url)));
  const cache = process.env.XDG_CACHE_HOME || path.join(process.env.HOME || os.userInfo().homedir, '.cache');
  const account = path.join(os.userInfo().homedir, '.cache');
  for (const dir of [process.env.OMKIT_ORACLE_DIR, path.join(cache, 'omkit-oracle'), path.join(account, 'omkit-oracle'), here]) {
    if (!dir || !fs.existsSync(path.join(dir, 'node_modules/onnxruntime-node'))) continue;
    return createRequire(path.join(dir, 'package.json'))('onnxruntime-node');
  }
  console.log('skipped: onnxruntime-node is not installed (run tests/oracle/install.sh)');
  process.exit(77);
}

function parseArgs(argv) {
  const args = {inputs: [], states: [], level: 'all', threads: 1, labelOffset: 0};
  for (let i = 0; i < argv.length; ++i) {
    const value = () => {
      if (++i >= argv.length) throw new UsageError(`${argv[i - 1]} needs a value`);
      return argv[i];
    };
    switch (argv[i]) {
      case '--model': args.model = value(); break;
      case '--input': args.inputs.push(parseInput(value())); break;
      case '--out': args.out = value(); break;
      case '--level': args.level = value(); break;
      case '--batch-list': args.batchList = value(); break;
      case '--labels': args.labels = value(); break;
      case '--label-offset': args.labelOffset = Number(value()); break;
      case '--threads': args.threads = Number(value()); break;
      case '--split': args.split = true; break;
      case '--steps': args.steps = Number(value()); break;
      case '--state': args.states.push(value().split('=')); break;
      case '--write-inputs': args.writeInputs = true; break;
      case '--info': args.info = true; break;
      case '--help': console.log(USAGE); process.exit(0); break;
      default: throw new UsageError(`unknown argument '${argv[i]}'`);
    }
  }
  if (!args.model) throw new UsageError('--model is missing');
  if (!args.info && !args.out) throw new UsageError('--out is missing');
  if (args.steps !== undefined && !(Number.isInteger(args.steps) && args.steps > 0)) throw new UsageError('--steps needs a positive integer');
  if (args.states.length && !args.steps) throw new UsageError('--state needs --steps');
  if (!LEVELS[args.level]) throw new UsageError(`--level '${args.level}' is none of ${Object.keys(LEVELS).join(', ')}`);
  return args;
}

// 'NAME=SOURCE[:DIMS][:DTYPE]'. A tensor name may itself hold ':' and '/', so the split is at the first '=' and suffixes go from the right.
function parseInput(text) {
  const equals = text.indexOf('=');
  if (equals < 1) throw new UsageError(`--input '${text}' is not NAME=SOURCE`);
  const input = {name: text.slice(0, equals), source: text.slice(equals + 1)};
  for (;;) {
    const colon = input.source.lastIndexOf(':');
    const suffix = input.source.slice(colon + 1);
    if (colon < 0) return input;
    if (ARRAYS[suffix] && !input.type) input.type = suffix;
    else if (/^(\d+(x\d+)*|scalar)$/.test(suffix) && !input.dims) input.dims = suffix === 'scalar' ? [] : suffix.split('x').map(Number);
    else return input;
    input.source = input.source.slice(0, colon);
  }
}

const count = dims => dims.reduce((a, b) => a * b, 1);
const stem = file => path.basename(file).replace(/\.[^.]*$/, '');

// The shape for `elements` numbers: as told on the command line, else the model's with a lone dynamic dimension filled in.
function resolveDims(input, meta, elements) {
  if (input.dims) return input.dims;
  const dims = meta.shape.map(d => typeof d === 'number' && d >= 0 ? d : null);
  const free = dims.indexOf(null);
  if (free >= 0 && elements !== undefined && dims.indexOf(null, free + 1) < 0) dims[free] = elements / count(dims.filter(d => d !== null));
  if (dims.some(d => !Number.isInteger(d)))
    throw new UsageError(`input '${input.name}' has shape [${meta.shape}]: give its dimensions, --input ${input.name}=...:1x3x32x32`);
  return dims;
}

function makeTensor(ort, input, meta, bytes) {
  const type = input.type || meta.type;
  if (!ARRAYS[type]) throw new Error(`input '${input.name}': type ${type} is not handled`);
  const width = ARRAYS[type].BYTES_PER_ELEMENT;
  const dims = resolveDims(input, meta, bytes && bytes.length / width);
  if (!bytes) return new ort.Tensor(type, generate(input.source, type, count(dims)), dims);
  if (bytes.length !== count(dims) * width)
    throw new Error(`input '${input.name}': ${bytes.length} bytes for ${type}[${dims}] of ${count(dims) * width} bytes`);
  return new ort.Tensor(type, new ARRAYS[type](new Uint8Array(bytes).buffer), dims);
}

function generate(source, type, n) {
  const [kind, ...numbers] = source.split(',');
  const big = type === 'int64' || type === 'uint64';
  const data = new ARRAYS[type](n);
  if (type === 'float16') throw new Error('made numbers are not available as float16');
  let s = Number(numbers[0]) >>> 0;
  for (let i = 0; i < n; ++i) {
    let value = Number(numbers[0]);
    if (kind === 'lcg') {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
      const lo = Number(numbers[1]), hi = Number(numbers[2]);
      value = lo + (hi - lo) * ((s >>> 8) / 16777216);
      if (!type.startsWith('float')) value = Math.floor(value);
    }
    data[i] = big ? BigInt(value) : value;
  }
  return data;
}

// One entry per sample: {stem, feeds: name -> () => tensor}. Tensors are made when the sample's turn comes.
function makeSamples(ort, args, metas) {
  const fixed = new Map(), lists = new Map();  // name -> tensor; name -> [{stem, tensor()}]
  const listed = [];
  for (const input of args.inputs) {
    const meta = metas.get(input.name);
    if (!meta) throw new UsageError(`the model has no input '${input.name}'; it has ${[...metas.keys()].join(', ')}`);
    const fromFile = file => ({stem: stem(file), tensor: () => makeTensor(ort, input, meta, fs.readFileSync(file))});
    if (input.source === '') {
      listed.push({input, fromFile});
    } else if (/^(lcg(,[^,]+){3}|const,[^,]+)$/.test(input.source)) {
      fixed.set(input.name, makeTensor(ort, input, meta));
    } else if (fs.statSync(input.source).isDirectory()) {
      const files = fs.readdirSync(input.source).filter(f => f.endsWith('.bin')).sort();
      lists.set(input.name, files.map(f => fromFile(path.join(input.source, f))));
    } else if (args.split) {
      const bytes = fs.readFileSync(input.source);
      const size = count(resolveDims({...input}, {...meta, shape: meta.shape.map((d, i) => i === 0 && typeof d !== 'number' ? 1 : d)})) *
          ARRAYS[input.type || meta.type].BYTES_PER_ELEMENT;
      if (bytes.length % size) throw new Error(`${input.source}: ${bytes.length} bytes is no multiple of ${size}`);
      lists.set(input.name, Array.from({length: bytes.length / size}, (_, i) =>
        ({stem: String(i).padStart(6, '0'), tensor: () => makeTensor(ort, input, meta, bytes.subarray(i * size, (i + 1) * size))})));
    } else {
      fixed.set(input.name, fromFile(input.source).tensor());
    }
  }
  if (args.batchList) readBatchList(args.batchList, listed, lists);
  else if (listed.length) throw new UsageError(`input '${listed[0].input.name}' has no source and there is no --batch-list`);
  for (const name of metas.keys())
    if (!fixed.has(name) && !lists.has(name)) throw new UsageError(`input '${name}' of the model is not given`);

  if (!lists.size) return {many: false, samples: [{stem: 'sample', feeds: () => Object.fromEntries(fixed)}]};
  const lengths = new Set([...lists.values()].map(l => l.length));
  if (lengths.size !== 1) throw new Error(`the inputs have different numbers of samples: ${[...lengths].join(', ')}`);
  const [first] = lists.values();
  const samples = first.map((entry, i) => ({stem: entry.stem, feeds: () =>
    Object.fromEntries([...fixed, ...[...lists].map(([name, list]) => [name, list[i].tensor()])])}));
  if (new Set(samples.map(s => s.stem)).size !== samples.length)
    samples.forEach((s, i) => s.stem = `${String(i).padStart(6, '0')}_${s.stem}`);
  return {many: true, samples};
}

// The samples of --steps. A step's state inputs are in `carried`, which main fills from the results of the step before.
function makeSteps(ort, args, metas, carried) {
  const first = makeSamples(ort, args, metas);
  if (first.many) throw new UsageError('--steps takes one sample, not a folder or a list');
  const names = args.states.map(([name]) => name);
  for (const name of names) if (!metas.has(name)) throw new UsageError(`--state: the model has no input '${name}'`);
  const feeds = step => {
    const tensors = {...first.samples[0].feeds()};
    for (const input of args.inputs) {
      const [kind, seed, ...range] = input.source.split(',');
      if (step > 0 && names.includes(input.name)) tensors[input.name] = carried.get(input.name);
      else if (kind === 'lcg') tensors[input.name] = makeTensor(ort, {...input, source: ['lcg', Number(seed) + step, ...range].join()}, metas.get(input.name));
    }
    return tensors;
  };
  return Array.from({length: args.steps}, (_, step) => ({stem: String(step).padStart(6, '0'), feeds: () => feeds(step)}));
}

function readBatchList(file, listed, lists) {
  for (const {input} of listed) lists.set(input.name, []);
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    const words = line.trim().split(/\s+/).filter(w => w);
    if (!words.length) continue;
    if (words.length !== listed.length) throw new Error(`${file}: '${line}' names ${words.length} files, ${listed.length} are needed`);
    for (const {input, fromFile} of listed) {
      const named = words.find(w => w.startsWith(`${input.name}=`));
      if (!named && listed.length > 1) throw new Error(`${file}: '${line}' has no file for input '${input.name}'`);
      const target = named ? named.slice(input.name.length + 1) : words[0];
      lists.get(input.name).push(fromFile(path.resolve(path.dirname(file), target)));
    }
  }
}

function bytesOf(tensor, name) {
  if (tensor.type === undefined || tensor.type === 'string') throw new Error(`output '${name}' is not a numeric tensor`);
  const data = tensor.data;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

// Ranks the label among `scores`: 0 = top-1. A class with an equal score and a lower index ranks before it.
function rankOf(label, scores) {
  let rank = 0;
  for (let i = 0; i < scores.length; ++i) rank += scores[i] > scores[label] || (scores[i] === scores[label] && i < label) ? 1 : 0;
  return rank;
}

function readLabels(file, offset) {
  const rows = fs.readFileSync(file, 'utf8').split('\n').map(l => l.trim().split(/\s+/)).filter(w => w[0]);
  const byStem = new Map(rows.map(w => [w.length > 1 ? stem(w[0]) : null, Number(w.at(-1)) + offset]));
  return (name, i) => rows[0].length > 1 ? byStem.get(name) : Number(rows[i]?.[0]) + offset;
}

async function main() {
  const args = parseArgs(process.argv.slice(2));
  const ort = loadOrt();
  const session = await ort.InferenceSession.create(args.model, {executionProviders: ['cpu'],
    graphOptimizationLevel: args.info ? 'disabled' : LEVELS[args.level], intraOpNumThreads: args.threads,
    interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 3});
  const describe = list => list.map(v => ({name: v.name, type: v.type, dims: v.shape}));
  if (args.info) {
    console.log(JSON.stringify({inputs: describe(session.inputMetadata), outputs: describe(session.outputMetadata)}, null, 1));
    return;
  }
  const metas = new Map(session.inputMetadata.map(m => [m.name, m]));
  const carried = new Map();
  const {many, samples} = args.steps ? {many: true, samples: makeSteps(ort, args, metas, carried)} : makeSamples(ort, args, metas);
  const label = args.labels && readLabels(args.labels, args.labelOffset);
  const meta = {model: path.basename(args.model), runtime: `onnxruntime-node ${ort.env.versions.node ?? ort.env.versions.common}`,
    level: args.level, inputs: [], outputs: []};
  fs.mkdirSync(args.out, {recursive: true});
  const all = session.outputNames.map(() => []);
  const hits = {seen: 0, top1: 0, top5: 0};
  for (const [i, sample] of samples.entries()) {
    const feeds = sample.feeds();
    const results = await session.run(feeds);
    for (const [name, output] of args.states) {
      if (!results[output]) throw new UsageError(`--state: the model has no output '${output}'`);
      carried.set(name, results[output]);
    }
    for (const [k, name] of session.outputNames.entries()) {
      const bytes = bytesOf(results[name], name);
      if (many) {
        if (i === 0) fs.mkdirSync(path.join(args.out, `output_${k}`), {recursive: true});
        fs.writeFileSync(path.join(args.out, `output_${k}`, `${sample.stem}.bin`), bytes);
      }
      all[k].push(Buffer.from(bytes));
      if (i === 0) meta.outputs.push({name, type: results[name].type, dims: [...results[name].dims], file: `output_${k}.bin`});
      else if (String(meta.outputs[k].dims) !== String(results[name].dims)) meta.outputs[k].dims_vary = true;
    }
    if (args.steps && args.writeInputs) {
      for (const [k, input] of args.inputs.entries()) {
        fs.mkdirSync(path.join(args.out, `input_${k}`), {recursive: true});
        fs.writeFileSync(path.join(args.out, `input_${k}`, `${sample.stem}.bin`), bytesOf(feeds[input.name], input.name));
      }
    }
    if (i === 0) {
      for (const [k, input] of args.inputs.entries()) {
        const tensor = feeds[input.name];
        const entry = {name: input.name, type: tensor.type, dims: [...tensor.dims], source: path.basename(input.source)};
        if (args.writeInputs && !many) {
          entry.file = `input_${k}.bin`;
          fs.writeFileSync(path.join(args.out, entry.file), bytesOf(tensor, input.name));
        }
        meta.inputs.push(entry);
      }
    }
    if (label) {
      const scores = results[session.outputNames[0]].data, wanted = label(sample.stem, i);
      if (!(wanted >= 0 && wanted < scores.length)) throw new Error(`no usable label for sample '${sample.stem}'`);
      const rank = rankOf(wanted, scores);
      hits.seen++; hits.top1 += rank < 1; hits.top5 += rank < 5;
    }
  }
  for (const [k, parts] of all.entries()) fs.writeFileSync(path.join(args.out, `output_${k}.bin`), Buffer.concat(parts));
  if (many) meta.samples = samples.map(s => s.stem);
  if (label) meta.accuracy = hits;
  fs.writeFileSync(path.join(args.out, 'meta.json'), JSON.stringify(meta, null, 1) + '\n');
  const percent = n => (100 * n / hits.seen).toFixed(2);
  if (label) console.log(`${hits.seen} samples: top-1 ${percent(hits.top1)} %, top-5 ${percent(hits.top5)} %`);
  else console.log(`${samples.length} sample(s), ${session.outputNames.length} output(s) in ${args.out}`);
}

try {
  await main();
} catch (error) {
  console.error(`ort_run: ${error.message}`);
  if (error instanceof UsageError) console.error('try --help');
  process.exit(error instanceof UsageError ? 2 : 1);
}

#!/usr/bin/env node
// Random models over the operator table with ONNX Runtime's results, in the layout of the ONNX project's backend tests:
//   fuzz_models.mjs OUT COUNT SEED [trees]
// writes OUT/test_<n>/{model.onnx,test_data_set_0/*.pb}. Equal arguments give equal models. Each model is a chain of two to six operators with
// side branches; shapes are followed here, so that every node is valid. Models that ONNX Runtime does not take are left out and counted.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {createRequire} from 'node:module';
import {FLOAT, INT32, INT64, BOOL, arrayOf, model, tensor} from './onnx_writer.mjs';
import {trees} from './fuzz_trees.mjs';

const dir = process.env.OMKIT_ORACLE_DIR || path.join(process.env.XDG_CACHE_HOME || path.join(os.userInfo().homedir, '.cache'), 'omkit-oracle');
const ort = createRequire(path.join(dir, 'package.json'))('onnxruntime-node');

class Random {
  constructor(seed) { this.state = (Math.imul(seed, 2654435761) + 12345) >>> 0 || 1; }
  next() {
    let s = this.state;
    s ^= s << 13; s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5; s >>>= 0;
    return this.state = s;
  }
  int(low, high) { return low + this.next() % (high - low + 1); }
  real(low, high) { return low + (high - low) * (this.next() >>> 8) / 2 ** 24; }
  pick(list) { return list[this.int(0, list.length - 1)]; }
  coin() { return this.int(0, 1) === 1; }
}

const size = dims => dims.reduce((a, b) => a * b, 1);
const big = list => list.map(v => BigInt(v));

class Builder {
  constructor(seed) {
    this.r = new Random(seed);
    this.opset = this.r.pick([11, 13, 14, 17, 18, 20, 23, 24]);
    this.nodes = []; this.constants = []; this.inputs = []; this.count = 0;
  }
  input(type, dims, low, high) {
    const v = {name: `in${this.inputs.length}`, type, dims};
    v.data = arrayOf(type, Array.from({length: size(dims)}, () => type === FLOAT ? this.r.real(low, high) : this.r.int(low, high)));
    this.inputs.push(v);
    return v;
  }
  constant(type, dims, values) {
    const c = {name: `c${this.constants.length}`, type, dims, data: arrayOf(type, values)};
    this.constants.push(c);
    return c;
  }
  floats(dims, low = -1, high = 1) { return this.constant(FLOAT, dims, Array.from({length: size(dims)}, () => this.r.real(low, high))); }
  ints(values) { return this.constant(INT64, [values.length], values); }
  // outputs: list of {type, dims}.
  add(op, inputs, outputs, attrs = {}) {
    const name = `n${this.count++}`;
    const values = outputs.map((o, i) => ({name: `${name}_${i}`, ...o}));
    this.nodes.push({name, op, inputs: inputs.map(v => v === null ? '' : v.name), outputs: values.map(v => v.name), attrs});
    return values[0];
  }
  one(op, inputs, dims, attrs = {}, type = FLOAT) { return this.add(op, inputs, [{type, dims}], attrs); }
}

// Axes as an input or as an attribute, whichever the opset has.
const axesForm = (b, op, x, axes, dims, attrs, since, type = x.type) =>
  b.opset >= since ? b.one(op, [x, b.ints(axes)], dims, attrs, type) : b.one(op, [x], dims, {...attrs, axes: big(axes)}, type);
const bounded = (b, x) => b.one('Tanh', [x], x.dims);
const positive = (b, x) => b.one('Add', [b.one('Abs', [x], x.dims), b.constant(FLOAT, [], [0.5])], x.dims);
// Without ties that rounding errors would decide.
const distinct = (b, x) => b.one('Add', [x, b.floats(x.dims)], x.dims);
const asFloat = (b, x) => b.one('Cast', [x], x.dims, {to: 1n});

const unary = (ops, prepare = (b, x) => x) => (b, x) => b.one(b.r.pick(ops), [prepare(b, x)], x.dims);
const otherFor = (b, x) => {
  const dims = x.dims.map(d => b.r.int(0, 3) === 0 ? 1 : d);
  return b.floats(dims.slice(b.r.int(0, dims.length)), -2, 2);
};

// x as [batch, length, heads * size] or [batch, heads, length, size], for the operators of transformers: {v, batch, heads, length, size}.
function headed(b, x, even) {
  const n = size(x.dims), divisors = [1, 2, 3, 4, 6, 8].filter(k => n % k === 0);
  const batch = b.r.pick([1, 2].filter(k => n % k === 0)), rest = n / batch;
  const length = b.r.pick(divisors.filter(k => rest % k === 0)), columns = rest / length;
  const heads = b.r.pick([1, 2, 4].filter(k => columns % k === 0)), width = columns / heads;
  if (even && width % 2 !== 0) return null;
  const flat = b.r.coin(), dims = flat ? [batch, length, columns] : [batch, heads, length, width];
  return {v: b.one('Reshape', [x, b.ints(dims)], dims), batch, heads, length, size: width, flat};
}

function rotary(b, x) {
  const h = headed(b, x, true);
  if (h === null) return null;
  const r = b.r, part = h.size >= 4 && r.coin() ? 2 * r.int(1, h.size / 2) : 0, half = (part || h.size) / 2, positions = r.coin();
  const cache = () => b.floats(positions ? [9, half] : [h.batch, h.length, half]);
  const ids = () => b.constant(INT64, [h.batch, h.length], Array.from({length: h.batch * h.length}, () => r.int(0, 8)));
  return b.one('RotaryEmbedding', [h.v, cache(), cache(), ...(positions ? [ids()] : [])], h.v.dims,
    {interleaved: r.coin() ? 1n : 0n, rotary_embedding_dim: BigInt(part), ...(h.flat ? {num_heads: BigInt(h.heads)} : {})});
}

// Q from x; keys and values made. Any of the four outputs of the operator may be the result.
function attention(b, x) {
  const r = b.r, h = headed(b, bounded(b, x), false), kvHeads = r.pick([1, 2, 4].filter(k => h.heads % k === 0));
  const width = r.int(1, 5), fresh = r.int(1, 6), past = r.int(0, 2) === 0 ? r.int(1, 3) : 0, total = past + fresh;
  const side = d => h.flat ? b.floats([h.batch, fresh, kvHeads * d]) : b.floats([h.batch, kvHeads, fresh, d]);
  const inputs = [h.v, side(h.size), side(width), null, null, null, null];
  const leading = r.pick([[], [1], [h.heads], [h.batch, h.heads], [1, h.heads], [h.batch, 1]]), mask = [...leading, h.length, total];
  const seen = () => Array.from({length: size(mask)}, (_, i) => i % total === 0 || r.coin() ? 1 : 0);  // each query sees the first key
  const kind = r.int(0, 2);
  if (kind === 1) inputs[3] = b.floats(mask);
  if (kind === 2) inputs[3] = b.constant(BOOL, mask, seen());
  if (past > 0) inputs[4] = b.floats([h.batch, kvHeads, past, h.size]), inputs[5] = b.floats([h.batch, kvHeads, past, width]);
  if (b.opset >= 24 && past === 0 && r.int(0, 2) === 0) inputs[6] = b.constant(INT64, [h.batch], Array.from({length: h.batch}, () => r.int(1, total)));
  while (inputs.at(-1) === null) inputs.pop();
  // ONNX Runtime lets a lone causal query see all keys; the standard lets it see those up to its own position.
  const causal = (h.length > 1 || fresh === 1) && r.int(0, 2) === 0;
  const attrs = {is_causal: causal ? 1n : 0n, softcap: r.pick([0, 0, 0.75]), ...(r.coin() ? {scale: r.pick([0.3, 1.5])} : {}),
    ...(h.flat ? {q_num_heads: BigInt(h.heads), kv_num_heads: BigInt(kvHeads)} : {})};
  const y = {type: FLOAT, dims: h.flat ? [h.batch, h.length, h.heads * width] : [h.batch, h.heads, h.length, width]};
  const outputs = [y, {type: FLOAT, dims: [h.batch, kvHeads, total, h.size]}, {type: FLOAT, dims: [h.batch, kvHeads, total, width]},
    {type: FLOAT, dims: [h.batch, h.heads, h.length, total]}];
  const shown = r.int(0, 5);
  if (shown < 3 && inputs[6] === undefined) return b.add('Attention', inputs, outputs.slice(0, r.coin() ? 1 : 3), attrs);
  if (inputs[6] !== undefined && shown < 4) return b.add('Attention', inputs, outputs.slice(0, 1), attrs);
  // ONNX Runtime has the lowest number where the standard adds -infinity (mode 2), and zeros where its softmax of nothing is NaN (mode 3).
  const modes = [0, 1, ...(causal || kind === 2 || inputs[6] !== undefined ? [] : [2]), ...(causal && inputs[6] !== undefined ? [] : [3])];
  b.add('Attention', inputs, outputs, {...attrs, qk_matmul_output_mode: BigInt(r.pick(modes))});
  const name = b.nodes.at(-1).outputs;
  const which = shown === 3 && inputs[6] === undefined ? r.int(1, 2) : 3;
  return {name: name[which], ...outputs[which]};
}

const rules = {
  simple: unary(['Relu', 'Sigmoid', 'Tanh', 'Abs', 'Neg', 'Softsign', 'Erf', 'Atan', 'Sin', 'Cos', 'Identity', 'Softplus']),
  // These jump, and so does the Cast of `integers`: only the input itself, which has no rounding errors yet, goes through them.
  steps: (b, x) => b.nodes.length === 0 ? b.one(b.r.pick(['Floor', 'Ceil', 'Sign', 'Round']), [x], x.dims) : null,
  domain: unary(['Asin', 'Acos', 'Atanh', 'Exp', 'Sinh', 'Cosh', 'Tan', 'Asinh'], (b, x) => b.one('Mul', [bounded(b, x), b.constant(FLOAT, [], [0.9])], x.dims)),
  positive: unary(['Sqrt', 'Log', 'Reciprocal'], positive),
  acosh: (b, x) => b.one('Acosh', [b.one('Add', [positive(b, x), b.constant(FLOAT, [], [1])], x.dims)], x.dims),
  alpha: (b, x) => b.one(b.r.pick(['LeakyRelu', 'Elu', 'Celu', 'ThresholdedRelu']), [x], x.dims, b.opset >= 12 ? {alpha: b.r.pick([0.1, 0.5, 1.5])} : {alpha: 0.3}),
  hard: (b, x) => b.one('HardSigmoid', [x], x.dims, {alpha: 0.25, beta: 0.4}),
  selu: (b, x) => b.one('Selu', [x], x.dims),
  shrink: (b, x) => b.one('Shrink', [x], x.dims, {lambd: 0.4, bias: 0.1}),
  hardSwish: (b, x) => b.opset >= 14 ? b.one('HardSwish', [x], x.dims) : null,
  mish: (b, x) => b.opset >= 18 ? b.one('Mish', [x], x.dims) : null,
  gelu: (b, x) => b.opset >= 20 ? b.one('Gelu', [x], x.dims, {approximate: b.r.pick(['none', 'tanh'])}) : null,
  clip: (b, x) => b.one('Clip', [x, b.constant(FLOAT, [], [-0.5]), b.constant(FLOAT, [], [0.8])], x.dims),
  binary: (b, x) => b.one(b.r.pick(['Add', 'Sub', 'Mul']), b.r.coin() ? [x, otherFor(b, x)] : [otherFor(b, x), x], x.dims),
  div: (b, x) => b.one('Div', [x, b.floats([x.dims.at(-1) ?? 1].slice(0, x.dims.length), 0.5, 2)], x.dims),
  pow: (b, x) => b.one('Pow', [positive(b, x), b.floats([], -2, 2)], x.dims),
  extremes: (b, x) => b.one(b.r.pick(['Max', 'Min']), [x, otherFor(b, x)], x.dims),
  sum: (b, x) => b.one(b.r.pick(['Sum', 'Mean']), [x, b.one('Neg', [x], x.dims), otherFor(b, x)], x.dims),
  twice: (b, x) => b.one(b.r.pick(['Add', 'Mul']), [x, b.one('Sigmoid', [x], x.dims)], x.dims),
  prelu: (b, x) => b.one('PRelu', [x, b.floats(x.dims.map((d, i) => i === x.dims.length - 1 ? d : 1))], x.dims),
  compare: (b, x) => asFloat(b, b.one(b.r.pick(['Greater', 'Less', ...(b.opset >= 12 ? ['GreaterOrEqual', 'LessOrEqual'] : [])]), [x, otherFor(b, x)], x.dims, {}, BOOL)),
  where: (b, x) => b.one('Where', [b.one('Greater', [x, b.constant(FLOAT, [], [0.1])], x.dims, {}, BOOL), x, otherFor(b, x)], x.dims),
  logic: (b, x) => {
    const p = b.one('Greater', [x, b.constant(FLOAT, [], [0])], x.dims, {}, BOOL), q = b.one('Less', [x, b.constant(FLOAT, [], [1])], x.dims, {}, BOOL);
    return asFloat(b, b.one('Not', [b.one(b.r.pick(['And', 'Or', 'Xor']), [p, q], x.dims, {}, BOOL)], x.dims, {}, BOOL));
  },
  integers: (b, x) => {
    if (b.nodes.length > 0) return null;
    const i = b.one('Cast', [b.one('Mul', [x, b.constant(FLOAT, [], [10])], x.dims)], x.dims, {to: 7n}, INT64);
    const k = b.constant(INT64, [], [b.r.int(1, 7)]);
    const op = b.r.pick(['Add', 'Sub', 'Mul', 'Mod', ...(b.opset >= 12 ? ['Max', 'Min'] : [])]);
    return asFloat(b, b.one(op, [i, k], x.dims, {}, INT64));
  },
  fmod: (b, x) => b.one('Mod', [x, b.constant(FLOAT, [], [0.7])], x.dims, {fmod: 1n}),
  softmax: (b, x) => b.one(b.r.pick(['Softmax', 'LogSoftmax']), [x], x.dims, {axis: BigInt(b.opset >= 13 ? b.r.int(-x.dims.length, x.dims.length - 1) : x.dims.length - 1)}),
  hardmax: (b, x) => b.one('Hardmax', [distinct(b, x)], x.dims, {axis: BigInt(x.dims.length - 1)}),
  reduce: (b, x) => {
    const op = b.r.pick(['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceLogSumExp']);
    const axis = b.r.int(0, x.dims.length - 1), keep = b.r.coin() || x.dims.length === 1;
    const dims = keep ? x.dims.map((d, i) => i === axis ? 1 : d) : x.dims.filter((_, i) => i !== axis);
    return axesForm(b, op, x, [axis], dims, {keepdims: keep ? 1n : 0n}, op === 'ReduceSum' ? 13 : 18);
  },
  arg: (b, x) => {
    const axis = b.r.int(0, x.dims.length - 1);
    return asFloat(b, b.one(b.r.pick(['ArgMax', 'ArgMin']), [distinct(b, x)], x.dims.map((d, i) => i === axis ? 1 : d), {axis: BigInt(axis)}, INT64));
  },
  topk: (b, x) => {
    const axis = b.r.int(0, x.dims.length - 1), k = b.r.int(1, x.dims[axis]), dims = x.dims.map((d, i) => i === axis ? k : d);
    return b.add('TopK', [x, b.ints([k])], [{type: FLOAT, dims}, {type: INT64, dims}], {axis: BigInt(axis), largest: b.r.coin() ? 1n : 0n});
  },
  cumsum: (b, x) => b.one('CumSum', [x, b.constant(INT64, [], [b.r.int(0, x.dims.length - 1)])], x.dims, {exclusive: b.r.coin() ? 1n : 0n, reverse: b.r.coin() ? 1n : 0n}),
  transpose: (b, x) => {
    const perm = x.dims.map((_, i) => i);
    for (let i = perm.length - 1; i > 0; --i) { const j = b.r.int(0, i); [perm[i], perm[j]] = [perm[j], perm[i]]; }
    return b.one('Transpose', [x], perm.map(p => x.dims[p]), {perm: big(perm)});
  },
  reshape: (b, x) => {
    const n = size(x.dims), d = [1, 2, 3, 4, 5, 6].filter(k => n % k === 0);
    const first = b.r.pick(d);
    return b.one('Reshape', [x, b.ints([first, -1])], [first, n / first]);
  },
  flatten: (b, x) => {
    const axis = b.r.int(0, x.dims.length);
    return b.one('Flatten', [x], [size(x.dims.slice(0, axis)), size(x.dims.slice(axis))], {axis: BigInt(axis)});
  },
  unsqueeze: (b, x) => {
    if (x.dims.length > 3) return null;
    const axis = b.r.int(0, x.dims.length), dims = [...x.dims.slice(0, axis), 1, ...x.dims.slice(axis)];
    return axesForm(b, 'Unsqueeze', x, [axis], dims, {}, 13);
  },
  squeeze: (b, x) => {
    const axis = x.dims.indexOf(1);
    return axis < 0 || x.dims.length === 1 ? null : axesForm(b, 'Squeeze', x, [axis], x.dims.filter((_, i) => i !== axis), {}, 13);
  },
  slice: (b, x) => {
    const axis = b.r.int(0, x.dims.length - 1), d = x.dims[axis], start = b.r.int(0, d - 1), end = b.r.int(start + 1, d), step = b.r.int(1, 2);
    if (b.r.int(0, 3) === 0) return b.one('Slice', [x, b.ints([d - 1]), b.ints([-(2 ** 31)]), b.ints([axis]), b.ints([-1])], x.dims);
    return b.one('Slice', [x, b.ints([start]), b.ints([end]), b.ints([axis]), b.ints([step])], x.dims.map((v, i) => i === axis ? Math.ceil((end - start) / step) : v));
  },
  concat: (b, x) => {
    const axis = b.r.int(0, x.dims.length - 1), dims = x.dims.map((d, i) => i === axis ? b.r.int(1, 3) : d);
    return b.one('Concat', [x, b.floats(dims)], x.dims.map((d, i) => i === axis ? d + dims[i] : d), {axis: BigInt(axis - (b.r.coin() ? x.dims.length : 0))});
  },
  split: (b, x) => {
    const axis = x.dims.findIndex(d => d >= 2);
    if (axis < 0) return null;
    const a = b.r.int(1, x.dims[axis] - 1), part = k => ({type: FLOAT, dims: x.dims.map((d, i) => i === axis ? k : d)});
    const parts = [part(a), part(x.dims[axis] - a)];
    return b.opset >= 13 ? b.add('Split', [x, b.ints([a, x.dims[axis] - a])], parts, {axis: BigInt(axis)})
                         : b.add('Split', [x], parts, {axis: BigInt(axis), split: big([a, x.dims[axis] - a])});
  },
  pad: (b, x) => {
    const mode = b.r.pick(['constant', 'edge', 'reflect']), begin = x.dims.map(d => Math.min(b.r.int(0, 2), d - 1)), end = x.dims.map(d => Math.min(b.r.int(0, 2), d - 1));
    return b.one('Pad', [x, b.ints([...begin, ...end]), ...(mode === 'constant' ? [b.constant(FLOAT, [], [0.25])] : [])], x.dims.map((d, i) => d + begin[i] + end[i]), {mode});
  },
  expand: (b, x) => {
    const dims = [b.r.int(1, 2), ...x.dims];
    return x.dims.length > 3 ? null : b.one('Expand', [x, b.ints(dims)], dims);
  },
  tile: (b, x) => {
    const repeats = x.dims.map(() => b.r.int(1, 2));
    return size(x.dims) > 400 ? null : b.one('Tile', [x, b.ints(repeats)], x.dims.map((d, i) => d * repeats[i]));
  },
  gather: (b, x) => {
    const axis = b.r.int(0, x.dims.length - 1), n = b.r.int(1, 3), index = Array.from({length: n}, () => b.r.int(-x.dims[axis], x.dims[axis] - 1));
    return b.one('Gather', [x, b.ints(index)], x.dims.map((d, i) => i === axis ? n : d), {axis: BigInt(axis)});
  },
  gatherElements: (b, x) => {
    const axis = b.r.int(0, x.dims.length - 1), dims = x.dims.map((d, i) => i === axis ? b.r.int(1, d) : d);
    const index = b.constant(INT64, dims, Array.from({length: size(dims)}, () => b.r.int(0, x.dims[axis] - 1)));
    return b.one('GatherElements', [x, index], dims, {axis: BigInt(axis)});
  },
  scatterElements: (b, x) => {
    const axis = b.r.int(0, x.dims.length - 1), dims = x.dims.map((d, i) => i === axis ? 1 : d);
    const index = b.constant(INT64, dims, Array.from({length: size(dims)}, () => b.r.int(0, x.dims[axis] - 1)));
    return b.one('ScatterElements', [x, index, b.floats(dims)], x.dims, {axis: BigInt(axis)});
  },
  gatherND: (b, x) => b.one('GatherND', [x, b.constant(INT64, [2, 1], [0, b.r.int(0, x.dims[0] - 1)])], [2, ...x.dims.slice(1)]),
  scatterND: (b, x) => b.one('ScatterND', [x, b.constant(INT64, [1, 1], [b.r.int(0, x.dims[0] - 1)]), b.floats([1, ...x.dims.slice(1)])], x.dims),
  trilu: (b, x) => b.opset >= 14 && x.dims.length >= 2 ? b.one('Trilu', [x, b.constant(INT64, [], [b.r.int(-1, 1)])], x.dims, {upper: b.r.coin() ? 1n : 0n}) : null,
  onehot: (b, x) => {
    const index = b.one('ArgMax', [distinct(b, x)], x.dims.slice(0, -1), {axis: BigInt(x.dims.length - 1), keepdims: 0n}, INT64);
    return x.dims.length < 2 ? null : b.one('OneHot', [index, b.ints([x.dims.at(-1)]), b.constant(FLOAT, [2], [-0.5, 0.75])], x.dims);
  },
  matmul: (b, x) => {
    if (x.dims.length < 2) return null;
    const n = b.r.int(1, 9);
    return b.one('MatMul', [x, b.floats([x.dims.at(-1), n])], [...x.dims.slice(0, -1), n]);
  },
  matmulLeft: (b, x) => {
    if (x.dims.length < 2) return null;
    const m = b.r.int(1, 9), dims = [m, x.dims.at(-2)];
    return b.one('MatMul', [b.floats(dims), x], [...x.dims.slice(0, -2), m, x.dims.at(-1)]);
  },
  gram: (b, x) => {
    if (x.dims.length < 2) return null;
    const perm = x.dims.map((_, i) => i), n = perm.length;
    [perm[n - 1], perm[n - 2]] = [perm[n - 2], perm[n - 1]];
    const y = bounded(b, x);
    return b.one('MatMul', [y, b.one('Transpose', [y], perm.map(p => x.dims[p]), {perm: big(perm)})], [...x.dims.slice(0, -1), x.dims.at(-2)]);
  },
  gemm: (b, x) => {
    if (x.dims.length !== 2) return null;
    const n = b.r.int(1, 9), t = b.r.coin();
    return b.one('Gemm', [x, b.floats(t ? [n, x.dims[1]] : [x.dims[1], n]), b.floats([n])], [x.dims[0], n], {transB: t ? 1n : 0n, alpha: b.r.pick([1, 0.5]), beta: b.r.pick([1, 2])});
  },
  einsum: (b, x) => b.opset >= 12 && x.dims.length === 3 ? b.one('Einsum', [x, b.floats([x.dims[2], 4])], [x.dims[0], 4, x.dims[1]], {equation: 'abc,cd->adb'}) : null,
  conv: (b, x) => {
    if (x.dims.length < 3 || x.dims.length > 4) return null;
    const c = x.dims[1], spatial = x.dims.slice(2), k = spatial.map(d => b.r.int(1, Math.min(3, d))), pads = k.map(v => b.r.int(0, v - 1)), stride = k.map(() => b.r.int(1, 2));
    const group = b.r.int(0, 2) === 0 ? c : 1, m = group === 1 ? b.r.int(1, 8) : c;
    const out = spatial.map((d, i) => Math.floor((d + 2 * pads[i] - k[i]) / stride[i]) + 1);
    return b.one('Conv', [x, b.floats([m, c / group, ...k]), ...(b.r.coin() ? [b.floats([m])] : [])], [x.dims[0], m, ...out], {group: BigInt(group), pads: big([...pads, ...pads]), strides: big(stride)});
  },
  convTranspose: (b, x) => {
    if (x.dims.length !== 4 || size(x.dims) > 2000) return null;
    const m = b.r.int(1, 4), k = b.r.int(1, 3), stride = b.r.int(1, 2);
    return b.one('ConvTranspose', [x, b.floats([x.dims[1], m, k, k])], [x.dims[0], m, ...x.dims.slice(2).map(d => (d - 1) * stride + k)], {strides: big([stride, stride])});
  },
  pool: (b, x) => {
    if (x.dims.length < 3 || x.dims.length > 4) return null;
    const k = x.dims.slice(2).map(d => b.r.int(1, Math.min(3, d))), pads = k.map(v => b.r.int(0, v - 1)), stride = k.map(() => b.r.int(1, 2)), average = b.r.coin();
    const out = x.dims.slice(2).map((d, i) => Math.floor((d + 2 * pads[i] - k[i]) / stride[i]) + 1);
    return b.one(average ? 'AveragePool' : 'MaxPool', [x], [...x.dims.slice(0, 2), ...out], {kernel_shape: big(k), pads: big([...pads, ...pads]), strides: big(stride), ...(average ? {count_include_pad: b.r.coin() ? 1n : 0n} : {})});
  },
  globalPool: (b, x) => x.dims.length >= 3 ? b.one(b.r.pick(['GlobalAveragePool', 'GlobalMaxPool']), [x], [...x.dims.slice(0, 2), ...x.dims.slice(2).map(() => 1)]) : null,
  batchNorm: (b, x) => x.dims.length >= 3 ? b.one('BatchNormalization', [x, b.floats([x.dims[1]]), b.floats([x.dims[1]]), b.floats([x.dims[1]]), b.floats([x.dims[1]], 0.5, 2)], x.dims) : null,
  instanceNorm: (b, x) => x.dims.length >= 3 ? b.one('InstanceNormalization', [x, b.floats([x.dims[1]]), b.floats([x.dims[1]])], x.dims, {epsilon: 0.01}) : null,
  layerNorm: (b, x) => b.opset >= 17 ? b.one('LayerNormalization', [x, b.floats([x.dims.at(-1)]), b.floats([x.dims.at(-1)])], x.dims, {axis: -1n, epsilon: 0.01}) : null,
  // As exporters write them out.
  decomposedNorm: (b, x) => {
    const r = b.r, axis = r.int(0, 3) === 0 ? 0 : x.dims.length - 1;
    const mean = v => axesForm(b, 'ReduceMean', v, [axis], x.dims.map((d, i) => i === axis ? 1 : d), {keepdims: 1n}, 18);
    const centered = r.coin(), m = centered ? mean(x) : null, d = centered ? b.one('Sub', [x, m], x.dims) : x;
    const square = r.coin() ? b.one('Mul', [d, d], d.dims) : b.one('Pow', [d, b.constant(FLOAT, [], [2])], d.dims);
    const v = mean(square), eps = b.one('Add', [v, b.constant(FLOAT, [], [0.01])], v.dims), root = b.one('Sqrt', [eps], v.dims);
    const shape = x.dims.map((s, i) => i === axis ? s : 1), table = () => b.floats(r.coin() ? [] : shape);
    if (centered && r.int(0, 2) === 0) {
      const inverse = b.one('Reciprocal', [root], v.dims), scale = b.one('Mul', [inverse, b.floats(shape)], x.dims);
      const shift = b.one('Sub', [b.floats(shape), b.one('Mul', [m, scale], x.dims)], x.dims);
      return b.one('Add', [b.one('Mul', [x, scale], x.dims), shift], x.dims);
    }
    let y = r.coin() ? b.one('Div', [d, root], x.dims) : b.one('Mul', [b.one('Reciprocal', [root], v.dims), d], x.dims);
    if (r.coin()) y = b.one('Mul', [y, table()], x.dims);
    return r.coin() ? b.one('Add', [table(), y], x.dims) : y;
  },
  decomposedGelu: (b, x) => {
    const half = v => b.one('Mul', [v, b.constant(FLOAT, [], [0.5])], v.dims), times = (v, k) => b.one('Mul', [v, b.constant(FLOAT, [], [k])], v.dims);
    let inner;
    if (b.r.coin()) {
      inner = b.one('Erf', [b.one('Div', [x, b.constant(FLOAT, [], [Math.SQRT2])], x.dims)], x.dims);
    } else {
      const cube = b.r.coin() ? b.one('Pow', [x, b.constant(FLOAT, [], [3])], x.dims) : b.one('Mul', [b.one('Mul', [x, x], x.dims), x], x.dims);
      inner = b.one('Tanh', [times(b.one('Add', [x, times(cube, 0.044715)], x.dims), Math.sqrt(2 / Math.PI))], x.dims);
    }
    const gate = b.one('Add', [inner, b.constant(FLOAT, [], [1])], x.dims);
    return b.r.coin() ? b.one('Mul', [half(x), gate], x.dims) : half(b.one('Mul', [x, gate], x.dims));
  },
  lrn: (b, x) => x.dims.length === 4 ? b.one('LRN', [x], x.dims, {size: 3n}) : null,
  lpNorm: (b, x) => b.one('LpNormalization', [positive(b, x)], x.dims, {axis: BigInt(x.dims.length - 1), p: b.r.coin() ? 1n : 2n}),
  // ONNX Runtime takes E[x^2] - E[x]^2, which rounding makes negative (then NaN) for a constant plane: noise goes before it.
  meanVariance: (b, x) => x.dims.length === 4 && size(x.dims.slice(2)) > 1 ? b.one('MeanVarianceNormalization', [distinct(b, x)], x.dims, {axes: [0n, 2n, 3n]}) : null,
  resize: (b, x) => {
    if (x.dims.length !== 4 || size(x.dims) > 2000 || b.opset < 13) return null;
    const f = b.r.int(1, 3), mode = b.r.pick(['nearest', 'linear']);
    return b.one('Resize', [x, null, b.constant(FLOAT, [4], [1, 1, f, f])], x.dims.map((d, i) => i < 2 ? d : d * f),
      {mode, coordinate_transformation_mode: b.r.pick(['asymmetric', 'half_pixel', 'align_corners']), ...(mode === 'nearest' ? {nearest_mode: b.r.pick(['floor', 'round_prefer_floor'])} : {})});
  },
  depthSpace: (b, x) => {
    if (x.dims.length !== 4) return null;
    const [n, c, h, w] = x.dims;
    if (c % 4 === 0) return b.one('DepthToSpace', [x], [n, c / 4, h * 2, w * 2], {blocksize: 2n, mode: b.r.pick(['DCR', 'CRD'])});
    return h % 2 === 0 && w % 2 === 0 ? b.one('SpaceToDepth', [x], [n, c * 4, h / 2, w / 2], {blocksize: 2n}) : null;
  },
  recurrent: (b, x) => {
    if (x.dims.length !== 3) return null;
    const [t, n, i] = x.dims, h = b.r.int(1, 7), [op, g] = b.r.pick([['LSTM', 4], ['GRU', 3], ['RNN', 1]]), direction = b.r.pick(['forward', 'reverse', 'bidirectional']);
    const d = direction === 'bidirectional' ? 2 : 1;
    const attrs = {hidden_size: BigInt(h), direction, ...(op === 'GRU' ? {linear_before_reset: b.r.coin() ? 1n : 0n} : {})};
    const y = b.one(op, [x, b.floats([d, g * h, i]), b.floats([d, g * h, h]), b.floats([d, 2 * g * h])], [t, d, n, h], attrs);
    return b.one('Reshape', [y, b.ints([t, d * n, h])], [t, d * n, h]);
  },
  rmsNorm: (b, x) => {
    if (b.opset < 23) return null;
    const axis = b.r.int(0, x.dims.length - 1);
    return b.one('RMSNormalization', [x, b.floats(x.dims.slice(axis))], x.dims, {axis: BigInt(b.r.coin() ? axis : axis - x.dims.length), epsilon: 0.01});
  },
  swish: (b, x) => b.opset >= 24 ? b.one('Swish', [x], x.dims, b.r.coin() ? {alpha: b.r.pick([0.5, 1.5])} : {}) : null,
  rotary: (b, x) => b.opset >= 23 ? rotary(b, x) : null,
  attention: (b, x) => b.opset >= 23 ? attention(b, x) : null,
  tensorScatter: (b, x) => {
    if (b.opset < 24 || x.dims.length < 2) return null;
    const axis = b.r.int(1, x.dims.length - 1), n = b.r.int(1, x.dims[axis]), dims = x.dims.map((d, i) => i === axis ? n : d), circular = b.r.coin();
    const starts = b.constant(INT64, [dims[0]], Array.from({length: dims[0]}, () => b.r.int(0, x.dims[axis] - (circular ? 1 : n))));
    return b.one('TensorScatter', [x, b.floats(dims), ...(b.r.coin() ? [starts] : [b.constant(INT64, [dims[0]], Array(dims[0]).fill(0))])], x.dims,
      {axis: BigInt(axis - (b.r.coin() ? x.dims.length : 0)), mode: circular ? 'circular' : 'linear'});
  },
  quantize: (b, x) => {
    const s = b.constant(FLOAT, [], [0.05]), z = b.constant(2, [], [b.r.int(100, 150)]);
    return b.one('DequantizeLinear', [b.one('QuantizeLinear', [x, s, z], x.dims, {}, 2), s, z], x.dims);
  },
  shapeOf: (b, x) => {
    const shape = b.one('Shape', [x], [x.dims.length], {}, INT64);
    const last = b.one('Gather', [shape, b.constant(INT64, [1], [x.dims.length - 1])], [1], {axis: 0n}, INT64);
    const rest = b.one('Concat', [b.ints([-1]), last], [2], {axis: 0n}, INT64);
    return b.one('Reshape', [x, rest], [size(x.dims) / x.dims.at(-1), x.dims.at(-1)]);
  },
};

function chain(b) {
  const r = b.r;
  const rank = r.int(1, 4), dims = Array.from({length: rank}, () => r.int(1, 6));
  let x = b.input(FLOAT, dims, -2, 2);
  const names = Object.keys(rules), steps = r.int(2, 6);
  for (let i = 0; i < steps;) {
    const y = rules[r.pick(names)](b, x);
    if (y === null || size(y.dims) === 0 || size(y.dims) > 20000 || y.dims.length === 0) {
      if (y !== null) break;
      continue;
    }
    x = y;
    ++i;
  }
  return x;
}

function build(seed, family) {
  const b = new Builder(seed), x = family(b);
  // Without its own node the output would be whatever the last rule left, which may be a second output.
  const out = b.one('Identity', [x], x.dims);
  return {b, out, bytes: model({opset: b.opset, mlOpset: b.mlOpset, nodes: b.nodes, inputs: b.inputs, outputs: [{name: out.name, type: FLOAT}], constants: b.constants})};
}

const [out, count, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
let refused = 0;
const used = new Set();
let n = 0;
for (; n - refused < count && refused * 10 <= count; ++n) {
  const made = build(seed + n, process.argv[5] === 'trees' ? trees : chain);
  let result;
  try {
    const session = await ort.InferenceSession.create(made.bytes, {graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4});
    result = (await session.run(Object.fromEntries(made.b.inputs.map(i => [i.name, new ort.Tensor('float32', i.data, i.dims)]))))[made.out.name];
    await session.release();
  } catch (error) {
    ++refused;
    if (process.env.FUZZ_VERBOSE) console.log(`seed ${seed + n}: ${String(error.message).slice(0, 300)}`);
    continue;
  }
  made.b.nodes.forEach(node => used.add(node.op));
  const folder = path.join(out, `test_${String(n).padStart(5, '0')}`);
  fs.mkdirSync(path.join(folder, 'test_data_set_0'), {recursive: true});
  fs.writeFileSync(path.join(folder, 'model.onnx'), made.bytes);
  made.b.inputs.forEach((input, i) => fs.writeFileSync(path.join(folder, `test_data_set_0/input_${i}.pb`), tensor(input)));
  fs.writeFileSync(path.join(folder, 'test_data_set_0/output_0.pb'), tensor({name: made.out.name, type: FLOAT, dims: [...result.dims], data: result.data}));
}
console.log(`${n - refused} models of ${used.size} operators, ${refused} refused by ONNX Runtime`);
if (n - refused < count) process.exit(1);

#!/usr/bin/env node
// Times one model with ONNX Runtime on the CPU and prints one line of JSON. Input and output tensors are made before the clock starts,
// so that what remains besides the model is one call from JavaScript into the library.
//   ort_time.mjs MODEL THREADS LEVEL SECONDS
// THREADS: intraOpNumThreads; LEVEL: graphOptimizationLevel (all, extended, basic, disabled). onnxruntime-node: $OMKIT_ORACLE_DIR.
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

const [model, threads, level, seconds] = process.argv.slice(2);
const ort = createRequire(path.join(process.env.OMKIT_ORACLE_DIR, 'package.json'))('onnxruntime-node');
const ARRAYS = {float32: Float32Array, int8: Int8Array, uint8: Uint8Array, int32: Int32Array, int64: BigInt64Array};

// The numbers that omkit's bench gives its models: 2^32 linear congruential generator, [-1, 1) for floats.
function fill(data) {
  let s = 1;
  for (let i = 0; i < data.length; ++i) {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    if (data instanceof Float32Array) data[i] = 2 * ((s >>> 8) / 16777216) - 1;
    else if (data.BYTES_PER_ELEMENT === 1) data[i] = s >>> 24;
  }
  return data;
}

const peakRss = () => {
  const line = /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'));
  return line ? Number(line[1]) * 1024 : 0;
};

const before = peakRss();
const begin = process.hrtime.bigint();
const session = await ort.InferenceSession.create(model, {executionProviders: ['cpu'], graphOptimizationLevel: level,
  intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionMode: 'sequential', logSeverityLevel: 3});
const loadMs = Number(process.hrtime.bigint() - begin) * 1e-6;

const feeds = {}, fetches = {};
for (const {name, type, shape} of session.inputMetadata) {
  const dims = shape.map(d => typeof d === 'number' && d > 0 ? d : 1);
  feeds[name] = new ort.Tensor(type, fill(new ARRAYS[type](dims.reduce((a, b) => a * b, 1))), dims);
}
const first = await session.run(feeds);
for (const [name, tensor] of Object.entries(first)) fetches[name] = new ort.Tensor(tensor.type, tensor.data.slice(), tensor.dims);
const rss = peakRss();

const warm = process.hrtime.bigint() + BigInt(Math.round(Number(seconds) * 1e8));
do await session.run(feeds, fetches); while (process.hrtime.bigint() < warm);
const ns = [];
const end = process.hrtime.bigint() + BigInt(Math.round(Number(seconds) * 1e9));
for (let t = process.hrtime.bigint(); t < end;) {
  await session.run(feeds, fetches);
  const now = process.hrtime.bigint();
  ns.push(Number(now - t));
  t = now;
}
ns.sort((a, b) => a - b);
const rank = p => ns[Math.min(ns.length, Math.max(1, Math.ceil(p / 100 * ns.length))) - 1] * 1e-6;
console.log(JSON.stringify({executions: ns.length, min_ms: ns[0] * 1e-6, p50_ms: rank(50), p90_ms: rank(90), p99_ms: rank(99), load_ms: loadMs,
  // Without Node.js itself.
  rss_bytes: rss - before, version: ort.env.versions.node ?? ort.env.versions.common}));

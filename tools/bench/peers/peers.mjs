#!/usr/bin/env node
// The body of peers.sh: compiles the models, runs bench and ort_time.mjs in turns, and writes the table.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {execFileSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';

const USAGE = `usage: peers.sh [flags]

Times omkit and ONNX Runtime on the same files. Each round runs both programs once per model, one after the other, so that a busy
machine slows both. The tables take the least and the median over all rounds.

  --models=DIR    folder of the test models (default: ../shared/models beside the checkout)
  --only=REGEX    only models whose name matches
  --rounds=N      default 5
  --seconds=S     measured time per model, number of threads and round (default 0.5)
  --threads=N,... default 1,2
  --json=FILE     writes all results there
  --from=FILE     measures nothing: takes the results of such a file
  --report=FILE   replaces the parts of this page between '<!-- measured -->' and '<!-- /measured -->', and likewise 'targets' and 'bfloat16'
  --keep=DIR      where generated and compiled models go, and are found again by the next run (default: a temporary folder)`;

// name | what omkit compiles: 'as it is' and, with ptq, INT8 by post-training quantization
const FILES = [
  ['mobilenet_v2_224_fp32', 'ptq'], ['mobilenet_v2_224_qat_u8_qdq'], ['mobilenet_v1_025_128_fp32', 'ptq'], ['mobilenet_v1_025_128_qat_u8_qdq'],
  ['deeplabv3_dm05_513_fp32'], ['deeplabv3_dm05_513_qat_u8_qdq'], ['person_detect_96_int8_qdq'], ['cifar10_resnet8_fp32'],
  ['cifar10_resnet8_int8_qdq'], ['kws_dscnn_fp32'], ['kws_dscnn_int8_qdq'], ['ad01_autoencoder_fp32'], ['ad01_autoencoder_int8_qdq'],
];
// Networks of tools/bench/generators and the elements of their input.
const IMAGE = 3 * 224 * 224;
const NETS = [['resnet18', IMAGE], ['resnet50', IMAGE], ['mobilenet_v1', IMAGE], ['mobilenet_v2', IMAGE], ['squeezenet1_1', IMAGE],
  ['yolov8n', 3 * 640 * 640], ['bert_base', 128 * 768], ['minilm_l6', 128 * 384]];
// INT8, least ms: all multiply-adds at the peak of one core of the machine that the targets were set on; targets for one and two threads.
const TARGETS = {
  resnet50_made: [17.6, 18.7, 9.7], resnet18_made: [7.8, 8.2, 4.2], mobilenet_v1_made: [2.4, 2.9, 1.5], mobilenet_v2_made: [1.3, 1.9, 1.0],
  squeezenet1_1_made: [1.5, 1.75, 0.95], yolov8n_made: [18.8, 21.5, 11.3], bert_base_made: [48, 54, 28], minilm_l6_made: [6.2, 7.2, 3.8],
};
const LEVELS = ['all', 'extended'];
const SAMPLES = 4;

function parseArgs(argv) {
  const args = {rounds: '5', seconds: '0.5', threads: '1,2', only: '', json: '', from: '', report: '', keep: '', models: '', bin: '', commit: 'unknown'};
  for (const text of argv) {
    if (text === '--help') { console.log(USAGE); process.exit(0); }
    const [, name, value] = /^--(\w+)=(.*)$/s.exec(text) ?? [];
    if (!(name in args)) { console.error(`peers: unknown argument '${text}'\n\n${USAGE}`); process.exit(2); }
    args[name] = value;
  }
  args.rounds = Number(args.rounds);
  args.threads = args.threads.split(',').map(Number);
  if (!(Number.isInteger(args.rounds) && args.rounds > 0) || !(Number(args.seconds) > 0) || !args.threads.every(t => Number.isInteger(t) && t > 0)) {
    console.error(`peers: --rounds, --seconds and --threads need positive numbers\n\n${USAGE}`);
    process.exit(2);
  }
  return args;
}

const run = (file, argv) => execFileSync(file, argv, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28});
const median = list => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];

// Calibration on noise: the scales change no timing.
function calibrationFolder(folder, elements) {
  fs.mkdirSync(folder, {recursive: true});
  let s = 9;
  for (let k = 0; k < SAMPLES; ++k) {
    const data = new Float32Array(elements);
    for (let i = 0; i < elements; ++i) data[i] = 2 * (((s = (Math.imul(s, 1664525) + 1013904223) >>> 0) >>> 8) / 16777216) - 1;
    fs.writeFileSync(path.join(folder, `${k}.bin`), Buffer.from(data.buffer));
  }
  return folder;
}

// -> [{name, oms: {fp32|int8|bf16: path}, onnx: {fp32|int8: path}}]: what omkit and ONNX Runtime run. Where omkit quantizes, ONNX Runtime runs
// the same quantization as the QDQ file that atc exports; it has nothing to compare with bfloat16.
function prepare(args, work) {
  const cases = [];
  const wanted = name => new RegExp(args.only).test(name);
  const compile = (onnx, om, extra) => {
    if (!fs.existsSync(`${om}.om`)) run(path.join(args.bin, 'atc/atc'), [`--model=${onnx}`, '--framework=5', `--output=${om}`, '--soc_version=host', ...extra]);
    return `${om}.om`;
  };
  const add = (name, onnx, ptqElements, bfloat16) => {
    console.error(`compile ${name}`);
    const om = path.join(work, name), own = /qdq|qat/.test(name) ? 'int8' : 'fp32';
    const oms = {[own]: compile(onnx, om, [])}, files = {[own]: onnx};
    if (ptqElements) {
      const calibration = calibrationFolder(path.join(work, `calibration_${ptqElements}`), ptqElements);
      files.int8 = `${om}_qdq.onnx`;
      oms.int8 = compile(onnx, `${om}_int8`, ['--quant_type=1', `--calibrate_tool_path=${calibration}`, `--export_fake_quant=${files.int8}`]);
    }
    if (bfloat16) oms.bf16 = compile(onnx, `${om}_bf16`, ['--precision_mode=allow_mix_precision_bf16']);
    cases.push({name, oms, onnx: files});
  };
  for (const [name, ptq] of FILES) {
    const onnx = path.join(args.models, `${name}.onnx`);
    if (wanted(name) && fs.existsSync(onnx)) add(name, onnx, ptq && 3 * Number(/_(\d+)_fp32/.exec(name)[1]) ** 2);
  }
  for (const [net, elements] of NETS) {
    const name = `${net}_made`, onnx = path.join(work, `${net}.onnx`);
    if (!wanted(name)) continue;
    if (!fs.existsSync(onnx)) run(path.join(args.bin, 'bench/generators/gen'), ['--net', net, '--out', onnx]);
    add(name, onnx, elements, true);
  }
  return cases;
}

class Samples {
  constructor() { this.rows = new Map(); }
  add(program, model, kind, threads, result) {
    const key = [program, model, kind, threads].join('|');
    if (!this.rows.has(key)) this.rows.set(key, []);
    this.rows.get(key).push(result);
  }
  get(program, model, kind, threads) {
    const list = this.rows.get([program, model, kind, threads].join('|'));
    if (!list) return undefined;
    return {rounds: list.length, min_ms: Math.min(...list.map(r => r.min_ms)), p50_ms: median(list.map(r => r.p50_ms)), p99_ms: median(list.map(r => r.p99_ms)),
      load_ms: median(list.map(r => r.load_ms)), rss_bytes: median(list.map(r => r.rss_bytes ?? r.peak_rss_bytes)), level: list[0].level};
  }
}

function measure(args, cases, work) {
  const samples = new Samples();
  const here = path.dirname(fileURLToPath(import.meta.url));
  const bestLevel = new Map();
  let version = 'unknown', machine;
  for (let round = 0; round < args.rounds; ++round) {
    for (const c of cases) {
      console.error(`round ${round + 1} of ${args.rounds}: ${c.name}`);
      for (const [kind, om] of Object.entries(c.oms)) {
        const json = path.join(work, 'bench.json');
        run(path.join(args.bin, 'bench/bench'), ['--om', om, `--threads=${args.threads}`, `--seconds=${args.seconds}`, `--json=${json}`]);
        const report = JSON.parse(fs.readFileSync(json, 'utf8'));
        const better = (a, b) => ({int8_gops: Math.max(a.int8_gops, b.int8_gops), f32_gops: Math.max(a.f32_gops, b.f32_gops)});
        machine = {...report.machine, peak: better(report.peak_of_one_core, machine?.peak ?? report.peak_of_one_core)};
        for (const result of report.results) samples.add('omkit', c.name, kind, result.threads, result);
      }
      for (const [kind, onnx] of Object.entries(c.onnx)) {
        for (const threads of args.threads) {
          const key = `${c.name}|${kind}|${threads}`;
          const results = (bestLevel.has(key) ? [bestLevel.get(key)] : LEVELS).map(level => ({level, ...JSON.parse(
            run(process.execPath, [path.join(here, 'ort_time.mjs'), onnx, String(threads), level, args.seconds]))}));
          const best = results.reduce((a, b) => b.min_ms < a.min_ms ? b : a);
          bestLevel.set(key, best.level);
          version = best.version;
          samples.add('ort', c.name, kind, threads, best);
        }
      }
    }
  }
  return {samples, version, machine};
}

function tableRows(args, cases, samples) {
  const rows = [];
  for (const c of cases) {
    for (const threads of args.threads) {
      for (const kind of Object.keys(c.onnx)) rows.push({model: c.name, kind, threads, omkit: samples.get('omkit', c.name, kind, threads), ort: samples.get('ort', c.name, kind, threads)});
    }
  }
  return rows;
}

// Networks in float32 and with their float layers on bfloat16.
function bfloat16Rows(args, cases, samples) {
  const rows = [];
  for (const c of cases.filter(c => c.oms.bf16)) {
    const bytes = Object.fromEntries(['fp32', 'bf16'].map(kind => [kind, fs.statSync(c.oms[kind]).size]));
    for (const threads of args.threads) {
      rows.push({model: c.name, threads, bytes, fp32: samples.get('omkit', c.name, 'fp32', threads), bf16: samples.get('omkit', c.name, 'bf16', threads)});
    }
  }
  return rows;
}

const ms = v => v >= 10 ? v.toFixed(1) : v >= 1 ? v.toFixed(2) : v.toFixed(3);

function markdown({machine, onnxruntime, omkit, rounds, seconds, load, rows}) {
  const mib = v => (v / (1 << 20)).toFixed(0);
  const lines = [
    `Machine: ${machine.cpu || os.arch()}, ${machine.cores} cores, tier \`${machine.isa}\`; one core's peak ${machine.peak.int8_gops.toFixed(0)} GOPS INT8, ` +
    `${machine.peak.f32_gops.toFixed(0)} GFLOPS FP32 (measured). Load average over the last minutes of the run: ${load.toFixed(1)}.`,
    `Versions: omkit ${omkit}, onnxruntime-node ${onnxruntime}, Node.js ${process.versions.node}, Linux ${os.release().replace(/^(\d+\.\d+).*/, '$1')}. ` +
    `${rounds} rounds of ${seconds} s.`, '',
    '| model | precision | threads | omkit min / p50 ms | ORT min / p50 ms | faster by min / p50 | load ms omkit / ORT | memory MiB omkit / ORT |',
    '|---|---|---|---|---|---|---|---|'];
  for (const r of rows) {
    const {omkit: a, ort: b} = r;
    lines.push(`| ${r.model} | ${r.kind.toUpperCase()} | ${r.threads} | ${ms(a.min_ms)} / ${ms(a.p50_ms)} | ${ms(b.min_ms)} / ${ms(b.p50_ms)} | ` +
      `${(b.min_ms / a.min_ms).toFixed(2)} / ${(b.p50_ms / a.p50_ms).toFixed(2)} | ${ms(a.load_ms)} / ${ms(b.load_ms)} | ${mib(a.rss_bytes)} / ${mib(b.rss_bytes)} |`);
  }
  for (const threads of [...new Set(rows.map(r => r.threads))]) {
    const ratios = rows.filter(r => /_made$/.test(r.model) && r.kind === 'int8' && r.threads === threads).map(r => r.ort.min_ms / r.omkit.min_ms);
    if (!ratios.length) continue;
    const mean = Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);
    lines.push('', `Geometric mean over the ${ratios.length} made networks in INT8, ${threads} thread${threads > 1 ? 's' : ''}: ${mean.toFixed(2)} times as fast as ONNX Runtime by least times.`);
  }
  return lines.join('\n') + '\n';
}

function targets({rows}) {
  const lines = ['| network | floor ms, 1 thread | target ms, 1 / 2 threads | least ms, 1 / 2 threads | over the target | FP32 over INT8, 1 thread |', '|---|---|---|---|---|---|'];
  const least = (model, kind, threads) => rows.find(r => r.model === model && r.kind === kind && r.threads === threads)?.omkit.min_ms;
  const over = (have, want) => have === undefined ? '-' : have <= want ? 'met' : `${(100 * (have / want - 1)).toFixed(1)} %`;
  for (const [model, [floor, one, two]] of Object.entries(TARGETS)) {
    const a = least(model, 'int8', 1), b = least(model, 'int8', 2), f = least(model, 'fp32', 1);
    if (a === undefined && b === undefined) continue;
    const show = v => v === undefined ? '-' : ms(v);
    lines.push(`| ${model} | ${floor} | ${one} / ${two} | ${show(a)} / ${show(b)} | ${over(a, one)} / ${over(b, two)} | ${a && f ? (f / a).toFixed(1) : '-'} |`);
  }
  return lines.join('\n') + '\n';
}

function bfloat16({bfloat16: rows}) {
  const lines = ['| network | threads | FP32 min / p50 ms | bfloat16 min / p50 ms | faster by min | file MB, FP32 / bfloat16 |', '|---|---|---|---|---|---|'];
  for (const {model, threads, bytes, fp32, bf16} of rows) {
    const mb = v => (v / 1e6).toFixed(1);
    lines.push(`| ${model} | ${threads} | ${ms(fp32.min_ms)} / ${ms(fp32.p50_ms)} | ${ms(bf16.min_ms)} / ${ms(bf16.p50_ms)} | ` +
      `${(fp32.min_ms / bf16.min_ms).toFixed(2)} | ${mb(bytes.fp32)} / ${mb(bytes.bf16)} |`);
  }
  return lines.join('\n') + '\n';
}

function writeReport(file, parts) {
  let page = fs.readFileSync(file, 'utf8');
  for (const [name, text] of Object.entries(parts)) {
    const part = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- /${name} -->)`);
    if (!part.test(page)) throw new Error(`${file} has no '<!-- ${name} -->' ... '<!-- /${name} -->'`);
    page = page.replace(part, (_, open, close) => `${open}${text}${close}`);
  }
  fs.writeFileSync(file, page);
}

function measureAll(args, work) {
  fs.mkdirSync(work, {recursive: true});
  const cases = prepare(args, work);
  if (!cases.length) throw new Error(`no model of ${args.models} and no network matches --only=${args.only}`);
  const {samples, version, machine} = measure(args, cases, work);
  return {machine, onnxruntime: version, omkit: args.commit, rounds: args.rounds, seconds: Number(args.seconds), load: os.loadavg()[1], rows: tableRows(args, cases, samples),
    bfloat16: bfloat16Rows(args, cases, samples)};
}

const args = parseArgs(process.argv.slice(2));
const work = args.keep || fs.mkdtempSync(path.join(os.tmpdir(), 'peers-'));
try {
  const results = args.from ? JSON.parse(fs.readFileSync(args.from, 'utf8')) : measureAll(args, work);
  const text = markdown(results);
  console.log(text);
  if (args.json) fs.writeFileSync(args.json, JSON.stringify(results, null, 1) + '\n');
  if (args.report) writeReport(args.report, {measured: text, targets: targets(results), bfloat16: bfloat16(results)});
} catch (error) {
  console.error(`peers: ${error.message}${error.stderr ? `\n${error.stderr}` : ''}${error.stdout ? `\n${error.stdout}` : ''}`);
  process.exitCode = 1;
} finally {
  if (!args.keep) fs.rmSync(work, {recursive: true, force: true});
}

// SPDX-License-Identifier: MIT
// An ONNX file as ONNX Runtime runs it: predicts one batch of random pictures.
//
// usage: node bench_onnx.mjs NODE_FOLDER MODEL.onnx THREADS     NODE_FOLDER holds node_modules/onnxruntime-node
//
// Answers each line "SECONDS" on stdin with a line of JSON on stdout: the median time of a run, cut into pieces as `fovea
// bench` does, and the memory the process held at most. Runs are called as the package itself calls them, but without the
// promise around each, which would cost small networks more than their arithmetic.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import path from 'node:path';
import process from 'node:process';

const [folder, model, threads] = process.argv.slice(2);
const home = path.resolve(folder, 'node_modules/onnxruntime-node');
const require = createRequire(path.join(home, 'package.json'));
const { binding, initOrt } = require(path.join(home, 'dist/binding.js'));
const { Tensor } = require('onnxruntime-common');
const CHUNKS = 20;
const CHUNKS_MIN = 3;

initOrt();
const session = new binding.InferenceSession();
session.loadModel(path.resolve(model), {
  executionProviders: ['cpu'],
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
});
const count = (shape) => shape.reduce((product, n) => product * n, 1);
const x = session.inputMetadata[0].shape;
const y = session.outputMetadata[0].shape;
const feeds = { x: new Tensor('float32', Float32Array.from({ length: count(x) }, Math.random), x) };
const fetches = { y: new Tensor('float32', new Float32Array(count(y)), y) };

function steps(n) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < n; i++) session.run(feeds, fetches, {});
  return Number(process.hrtime.bigint() - start) * 1e-9;
}

function median(values) {
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

function measure(seconds) {
  let one = steps(1);
  for (let spent = 0; spent < seconds / 10;) {
    const again = steps(1); // caches and clock settle
    one = Math.min(one, again);
    spent += again;
  }
  const n = Math.max(1, Math.floor(seconds / CHUNKS / one));
  const times = [];
  for (let spent = 0; times.length < CHUNKS_MIN || spent < seconds;) {
    times.push(steps(n));
    spent += times.at(-1);
  }
  return median(times) / n;
}

steps(3);
console.log(JSON.stringify({ version: require(path.join(home, 'package.json')).version }));
for await (const line of createInterface({ input: process.stdin })) {
  const step = measure(Number(line));
  console.log(JSON.stringify({
    images_per_second: x[0] / step,
    step_ms: 1e3 * step,
    rss_mb: process.resourceUsage().maxRSS / 1024,
  }));
}

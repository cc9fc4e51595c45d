// node run-onnxruntime.js MODEL.onnx WxH INPUT OUTPUT THREADS RUNS: ONNX
// Runtime, all graph optimizations. Prints {"times": [ms, ...]}; see
// compare-peers.sh, which sets NODE_PATH.
//
// SPDX-License-Identifier: MIT
const fs = require('fs');
const ort = require('onnxruntime-node');

async function main() {
  const [model, size, source, target, threads, runs] = process.argv.slice(2);
  const [width, height] = size.split('x').map(Number);
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  });
  const bytes = fs.readFileSync(source);
  const pixels = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const channels = pixels.length / width / height;
  const input =
      new ort.Tensor('float32', pixels, [1, channels, height, width]);
  const times = [];
  let output;
  for (let i = -2; i < Number(runs); i++) {
    const start = process.hrtime.bigint();
    const results = await session.run({input});
    if (i >= 0) times.push(Number(process.hrtime.bigint() - start) / 1e6);
    output = results[session.outputNames[0]].data;
  }
  fs.writeFileSync(
      target, Buffer.from(output.buffer, output.byteOffset, output.byteLength));
  console.log(JSON.stringify({times}));
}

main().then(() => process.exit(0), (error) => {
  console.error(String(error));
  process.exit(1);
});

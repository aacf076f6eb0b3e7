import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const repository = path.resolve(import.meta.dirname, '../..');
const WHEEL = 'tensorflow_cpu-9.8.7-cp311-cp311-manylinux_2_27_x86_64.whl';
/** Stands in for tfjs-node's sources: an addon that says which TensorFlow it was linked with, which is the library of the wheel. */
const ADDON = `
#include <node_api.h>
extern "C" const char* TF_Version();
NAPI_MODULE_INIT() {
  napi_value version;
  napi_create_string_utf8(env, TF_Version(), NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "TF_Version", version);
  return exports;
}`;

let root: string;
let server: Server;
let index: string;
let wheel: Buffer;
/** Paths that were asked for. */
let requests: string[] = [];
let serve: (wheel: Buffer, range: string | undefined) => Answer;

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body: Buffer;
}

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-tensorflow-'));
  wheel = await makeWheel();
  const line = `cpu x86_64 ${WHEEL} ${createHash('sha256').update(wheel).digest('hex')} 1`;
  await writeFile(path.join(root, 'wheels.txt'), `${line}\n`);
  server = createServer((request, response) => {
    requests.push(request.url!);
    if (request.url === '/simple/tensorflow-cpu/') {
      response.end(`<a href="../../files/other.whl">other</a> <a href="../../files/${WHEEL}#sha256=0">${WHEEL}</a>`);
    } else if (request.url === `/files/${WHEEL}`) {
      const { status, headers, body } = serve(wheel, request.headers.range);
      response.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  index = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
});
afterAll(async () => {
  server.close();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => {
  requests = [];
  serve = (body, range) => {
    const from = /bytes=(\d+)-/.exec(range ?? '')?.[1];
    if (from === undefined) return { status: 200, body };
    const headers = { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` };
    return { status: 206, headers, body: body.subarray(Number(from)) };
  };
});

/** Of TensorFlow and, for one wheel is like another, of OpenBLAS too. */
async function makeWheel(): Promise<Buffer> {
  const tree = path.join(root, 'wheel', 'tensorflow');
  const blas = path.join(root, 'wheel', 'scipy_openblas32/lib');
  for (const directory of [path.join(tree, 'include/tensorflow/c'), blas]) await mkdir(directory, { recursive: true });
  await writeFile(path.join(tree, 'include/tensorflow/c/c_api.h'), '');
  await writeFile(path.join(tree, 'lite.py'), 'never unpacked');
  await writeFile(path.join(root, 'tf.cc'), 'extern "C" const char* TF_Version() { return "9.8.7"; }');
  const libraries = ['cc', 'framework'].map((name) => path.join(tree, `libtensorflow_${name}.so.2`));
  for (const library of [...libraries, path.join(blas, 'libscipy_openblas.so')]) {
    execFileSync('g++', [
      '-shared',
      '-fPIC',
      path.join(root, 'tf.cc'),
      '-o',
      library,
      `-Wl,-soname,${path.basename(library)}`,
    ]);
  }
  const file = path.join(root, WHEEL);
  execFileSync('python3', ['-m', 'zipfile', '-c', file, 'tensorflow/', 'scipy_openblas32/'], {
    cwd: path.dirname(tree),
  });
  return readFile(file);
}

/** A checkout of its own, whose list of wheels has the one that is served here. */
async function checkout(name: string, wheels = 'wheels.txt'): Promise<{ script: string; home: string }> {
  const directory = path.join(root, name);
  const binding = path.join(directory, 'node_modules/@tensorflow/tfjs-node-gpu/binding');
  await mkdir(binding, { recursive: true });
  await writeFile(path.join(binding, 'tfjs_binding.cc'), ADDON);
  await mkdir(path.join(directory, 'scripts'));
  const script = path.join(directory, 'scripts/install-tensorflow.sh');
  await cp(path.join(repository, 'scripts/install-tensorflow.sh'), script);
  await cp(
    path.join(repository, 'scripts/tensorflow/signals.cc'),
    path.join(directory, 'scripts/tensorflow/signals.cc'),
  );
  await cp(path.join(root, wheels), path.join(directory, 'scripts/tensorflow/wheels.txt'));
  return { script, home: path.join(directory, 'home') };
}

async function install(
  { script, home }: { script: string; home: string },
  args: readonly string[] = ['--cpu'],
  env: Record<string, string> = {},
): Promise<{ code: number | null; output: string }> {
  const given = { ...process.env, TANDEM_TENSORFLOW_HOME: home, PIP_INDEX_URL: index, no_proxy: '127.0.0.1', ...env };
  const child = spawn(script, args, { env: given, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, output };
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

describe.skipIf(process.arch !== 'x64')('install-tensorflow.sh', () => {
  test('fetches the wheel, builds the addon against it, and does neither again', async () => {
    const place = await checkout('whole');
    const first = await install(place);
    expect(first).toMatchObject({ code: 0, output: expect.stringContaining('TensorFlow 9.8.7 loads') });
    expect(await readlink(path.join(place.home, 'cpu'))).toBe('9.8.7-cpu-x86_64');
    expect((await readdir(path.join(place.home, 'cpu'))).sort()).toEqual([
      '.installed',
      'scipy_openblas32',
      'tensorflow',
      'tfjs_binding.node',
    ]);
    expect((await readdir(path.join(place.home, 'cpu/tensorflow'))).sort()).toEqual([
      'libtensorflow_cc.so.2',
      'libtensorflow_framework.so.2',
    ]);
    requests = [];
    expect((await install(place)).code).toBe(0);
    expect(requests).toEqual([]);
  });

  test.each([
    { kind: 'that can go on in the middle', ranges: ['bytes=1000-'] },
    { kind: 'that cannot', ranges: ['bytes=1000-', undefined] },
  ])('goes on where a fetch was broken off, with a server $kind', async ({ kind, ranges }) => {
    const place = await checkout(kind.replaceAll(' ', '-'));
    await mkdir(path.join(place.home, 'downloads'), { recursive: true });
    await writeFile(path.join(place.home, 'downloads', `${WHEEL}.part`), wheel.subarray(0, 1000));
    const asked: (string | undefined)[] = [];
    const usual = serve;
    serve = (body, range) => {
      asked.push(range);
      return ranges.length > 1 ? { status: 200, body } : usual(body, range);
    };
    expect((await install(place)).code).toBe(0);
    expect(asked).toEqual(ranges);
  });

  test('refuses a wheel that is not what was published, and leaves nothing of it', async () => {
    const place = await checkout('forged');
    serve = () => ({ status: 200, body: Buffer.from('something else') });
    expect(await install(place)).toMatchObject({
      code: 65,
      output: expect.stringMatching(/is not what was published: its sha256 should be/),
    });
    expect(await isThere(path.join(place.home, 'cpu'))).toBe(false);
    expect(await readdir(path.join(place.home, 'downloads'))).toEqual(['index.html']);
  });

  test('keeps the installation that is there when the next one fails', async () => {
    const place = await checkout('kept');
    expect((await install(place)).code).toBe(0);
    await writeFile(
      path.join(path.dirname(place.script), '../node_modules/@tensorflow/tfjs-node-gpu/binding/tfjs_binding.cc'),
      'broken',
    );
    expect(await install(place)).toMatchObject({
      code: 70,
      output: expect.stringContaining('the addon could not be built'),
    });
    expect((await readdir(path.join(place.home, 'cpu'))).sort()).toEqual([
      '.installed',
      'scipy_openblas32',
      'tensorflow',
      'tfjs_binding.node',
    ]);
  });

  test.each([
    [
      'no compiler',
      ['--cpu'],
      { CXX: 'no-such-compiler' },
      69,
      'no C++ compiler (no-such-compiler): apt-get install g++',
    ],
    [
      'an index that is not there',
      ['--cpu'],
      { PIP_INDEX_URL: 'http://127.0.0.1:1/simple' },
      75,
      'the package index does not answer for tensorflow-cpu',
    ],
    ['a machine without such wheels', ['--cuda'], {}, 69, 'PyPI has no TensorFlow (cuda) for Linux x86_64'],
    ['an unknown argument', ['--gpu'], {}, 64, 'unknown argument --gpu'],
  ] satisfies [
    string,
    string[],
    Record<string, string>,
    number,
    string,
  ][])('says what is wrong and the way out: %s', async (name, args, env, code, message) => {
    const place = await checkout(name.replaceAll(' ', '-'));
    expect(await install(place, args, env)).toMatchObject({ code, output: expect.stringContaining(message) });
  });

  test("says so when tfjs-node's own installer fails", async () => {
    const place = await checkout('published');
    const env = { npm_config_registry: 'http://127.0.0.1:1', npm_config_fetch_retries: '0' };
    const { code, output } = await install(place, ['--published', '--cpu'], env);
    expect(code).toBe(75);
    expect(output).toMatch(/tfjs-node's own installer failed .*without it: .\/scripts\/install-tensorflow.sh --cpu/);
  });
});

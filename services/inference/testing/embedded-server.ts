import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeTinyModel } from '../../model/tiny-model.ts';
import { parseServerArguments } from '../arguments.ts';
import { type RunningServer, startServer } from '../start-server.ts';
import { writeRandomAdapter } from './random-adapter.ts';

/** The embedded server over a tiny model, as the control plane starts it but in this process. */
export interface EmbeddedServer extends RunningServer {
  readonly adaptersRoot: string;
  readonly modelDirectory: string;
  /** Errors that only the log is told of. */
  readonly reports: unknown[];
  /** Writes an adapter that changes what the model says, and gives its directory. */
  writeAdapter(name: string, options?: { readonly seed?: number; readonly r?: number }): Promise<string>;
  /** Writes another tiny model under the adapters' root. */
  writeModel(name: string, seed: number): Promise<string>;
}

export async function startEmbeddedServer(extraArguments: readonly string[] = []): Promise<EmbeddedServer> {
  const home = await mkdtemp(path.join(tmpdir(), 'tandem-inference-'));
  const [modelDirectory, adaptersRoot] = [path.join(home, 'model'), path.join(home, 'adapters')];
  await makeTinyModel(modelDirectory, { seed: 0 });
  await mkdir(adaptersRoot);
  const given = ['--model', modelDirectory, '--served-model-name', 'run-tiny', '--port', '0', '--max-model-len', '256'];
  const adapters = ['--enable-lora', '--max-lora-rank', '16', '--max-loras', '4', '--adapters-root', adaptersRoot];
  const settings = parseServerArguments([...given, ...adapters, ...extraArguments]);
  const reports: unknown[] = [];
  const report = (_message: string, error: unknown) => void reports.push(error);
  const server = await startServer(settings, { report, onDeath: (error) => void reports.push(error) });

  async function writeAdapter(name: string, options: { readonly seed?: number; readonly r?: number } = {}) {
    const directory = path.join(adaptersRoot, name);
    await writeRandomAdapter(directory, { model: modelDirectory, seed: 1, ...options });
    return directory;
  }

  async function writeModel(name: string, seed: number) {
    const directory = path.join(adaptersRoot, name);
    await makeTinyModel(directory, { seed });
    return directory;
  }

  async function close() {
    await server.close();
    await rm(home, { recursive: true, force: true });
  }

  return { ...server, close, adaptersRoot, modelDirectory, reports, writeAdapter, writeModel };
}

import { join } from 'node:path';
import { openDatabase } from '../platform/database.ts';
import { createLogger } from '../platform/logger.ts';
import { createRedactor } from '../platform/redaction.ts';
import { createListener } from './api/listener.ts';
import { chooseGpuSource } from './gpus/choose-source.ts';
import { withForeignContainers } from './gpus/foreign-containers.ts';
import { connectS3 } from './home/connect-s3.ts';
import { type HomeFile, openHomeFile, saveHomeFile } from './home/home-file.ts';
import { lockHome } from './home/home-lock.ts';
import { openObjects } from './home/open-objects.ts';
import { requireCreatable, requireWritable } from './home/require-writable.ts';
import { closeServer, hostInUrl, listen } from './listen.ts';
import { readGpuProfiles } from './runs/gpu-profiles.ts';
import { openRuntime } from './runtimes/open-runtime.ts';
import type { Programs } from './runtimes/role-specs.ts';
import { warnUnpinned } from './runtimes/vllm-image.ts';
import { migrations } from './schema.ts';
import { knownSecrets } from './settings/known-secrets.ts';
import type { Settings } from './settings.ts';
import { wireControlPlane } from './wiring.ts';

const HEALTH_TIMEOUT_MS = 2000;
const LIMITS = {
  trainerGraceMs: 30_000,
  inferenceGraceMs: 10_000,
  inferenceRestarts: 3,
  inferenceWindowMs: 600_000,
};

export interface ControlPlane {
  /** Where people reach it. */
  url: string;
  /** Ends it in order. Trainers and inference servers go on. */
  close(): Promise<void>;
}

export interface StartOptions {
  settings: Settings;
  environment: Readonly<Record<string, string | undefined>>;
  cwd: string;
  version: string;
  programs: Programs;
  /** Directory of the GPU profiles. */
  gpuProfiles: string;
}

/**
 * Starts a control plane, in boot order: home and its lock, log, database, what was written beyond the indexes, listeners, running programs, rounds.
 * @throws StartError, HomeLockedError, DatabaseOpenError or ListenError, each with one line that holds the remedy
 */
export async function startControlPlane(options: StartOptions): Promise<ControlPlane> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return { url: await boot(options, closers), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function boot(options: StartOptions, closers: (() => unknown)[]): Promise<string> {
  const { settings, environment, cwd, version } = options;
  const { home } = settings;
  const now = Date.now;
  await requireWritable('TANDEM_HOME', home);
  await requireCreatable('TANDEM_OUTPUTS', settings.outputs);
  const lock = lockHome(home);
  closers.push(() => lock.release());
  const redactor = createRedactor(knownSecrets(environment, settings));
  const log = createLogger({
    level: 'info',
    file: { directory: join(home, 'logs'), name: 'control-plane' },
    redactor,
  });
  closers.push(() => log.close());
  const unpinned = settings.docker && warnUnpinned('TANDEM_VLLM_IMAGE', settings.docker.vllmImage);
  if (unpinned !== null) log.warn(unpinned);
  const gpuSource = await chooseGpuSource({ setting: settings.gpus, environment });
  const objects = await openObjects({
    home,
    homeFile: await openHomeFile(home),
    s3: settings.s3,
    connect: (s3) => connectS3(s3, log),
    steady: () => performance.now(),
    log,
  });
  const db = openDatabase({ path: join(home, 'tandem.db'), migrations });
  closers.push(() => db.close());

  let agentUrl = '';
  const later = { changed: () => {} };
  const opened = await openRuntime({
    settings,
    environment,
    homeFile: objects.homeFile,
    version,
    programs: options.programs,
    isHealthy,
    changed: () => later.changed(),
    now,
    log,
  });
  closers.push(() => opened.close());
  const homeFile = await noteDaemon(home, objects.homeFile, opened.daemon);
  const wiring = wireControlPlane({
    settings,
    environment,
    cwd,
    version,
    installation: homeFile.installation,
    profiles: await readGpuProfiles(options.gpuProfiles),
    programs: opened.programs,
    limits: { ...LIMITS, startTimeoutMs: settings.startTimeoutMs, stopDeadlineMs: settings.stopDeadlineMs },
    db,
    store: objects.store,
    runtime: opened.runtime,
    gpuSource: opened.listForeign === null ? gpuSource : withForeignContainers(gpuSource, opened.listForeign),
    agentUrl: () => agentUrl,
    now,
    steady: () => performance.now(),
    redactor,
    log,
  });
  closers.push(() => wiring.close());
  later.changed = () => wiring.reconciler.trigger();
  await wiring.recover();

  const kept = settings.agentPort === 0 ? homeFile.agent_port : null;
  const agent = createListener(wiring.agentApp);
  const agentPort = await listen(
    agent,
    opened.agentHost,
    kept ?? settings.agentPort,
    kept === null
      ? `TANDEM_AGENT_ADDR: port ${settings.agentPort} is taken; choose another, or 0 for a free one`
      : `port ${kept}, by which running trainers find this control plane, is taken: end the program that listens there, or, when no run is live, set agent_port to null in ${join(home, 'home.json')}`,
  );
  closers.push(() => closeServer(agent));
  if (settings.agentPort === 0 && kept === null) await saveHomeFile(home, { ...homeFile, agent_port: agentPort });
  agentUrl = opened.agentUrl(agentPort);

  const front = createListener(wiring.publicApp);
  const taken = `port ${settings.port} is taken: end the program that listens there, or choose another with PORT`;
  const port = await listen(front, settings.address, settings.port, taken);
  closers.push(() => closeServer(front));
  // Followers reconnect; their connections must not hold up the end.
  closers.push(() => wiring.endStreams());

  await wiring.adopt();
  wiring.reconciler.start();
  closers.push(() => wiring.reconciler.close());
  closers.push(() => wiring.interrupt());
  const url = `http://${hostInUrl(settings.address)}:${port}`;
  log.info(`Tandem ${version} listens at ${url}, its agent API at ${agentUrl}`);
  return url;
}

/** Which daemon has the containers is written down before the first of them is made. */
async function noteDaemon(home: string, homeFile: HomeFile, daemon: string | null): Promise<HomeFile> {
  if (daemon === null || homeFile.docker_daemon === daemon) return homeFile;
  return await saveHomeFile(home, { ...homeFile, docker_daemon: daemon });
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

import type { Preflight, PreflightCheck } from '../../contracts/preflight.ts';
import type { Facts, RunKey } from './facts.ts';
import { compareVersions } from './versions.ts';

const DOCKER_API = '1.41';
const COMPOSE = '1.29';
const CUDA = '12.1';
const GPUS_NEEDED = 4;
const GPUS_RECOMMENDED = 8;
const MEMORY_GB = 64;
const DISK_GB = 500;
/** Firmware and kernel keep some of what is plugged in. */
const MEMORY_SLACK = 0.93;

/** Pure: one check for each thing that L11 of the guide names, in its order. */
export function judge(facts: Facts): Preflight {
  const checks = [
    judgeSystem(facts),
    judgeDocker(facts),
    judgeCompose(facts),
    judgeToolkit(facts),
    judgeDriver(facts),
    judgeGpus(facts),
    judgeMemory(facts),
    ...facts.disks.map((disk) => judgeDisk(disk, facts)),
    ...(facts.adapters === null ? [] : [judgeAdapters(facts.adapters)]),
    ...facts.ports.map(judgePort),
    ...Object.entries(facts.keys).map(([key, isSet]) => judgeKey(key as RunKey, isSet)),
  ];
  return { ready: checks.every(({ verdict }) => verdict !== 'missing'), runtime: facts.runtime, checks };
}

type Verdict = PreflightCheck['verdict'];
const check = (name: string, verdict: Verdict, found: string, remedy: string | null = null): PreflightCheck => ({
  name,
  verdict,
  found,
  remedy,
});

/** Bad where it is needed, a note where it is not. */
const unless = (isNeeded: boolean, verdict: 'missing' | 'warning'): Verdict => (isNeeded ? verdict : 'note');

const hasGpus = ({ gpus }: Facts) => gpus.gpus.length > 0;

function judgeSystem({ system: { name, release, architecture } }: Facts): PreflightCheck {
  const found = `${name} ${release}, ${architecture}`;
  const isServed = name === 'Linux' && ['x64', 'arm64'].includes(architecture);
  return isServed
    ? check('system', 'ok', found)
    : check('system', 'missing', found, 'use Linux on x64 or arm64, a container or WSL 2');
}

function judgeDocker({ docker, runtime }: Facts): PreflightCheck {
  const isNeeded = runtime === 'docker';
  if ('failure' in docker) {
    const remedy = 'install Docker 20.10 or newer, start it, and let DOCKER_HOST name its socket if it is elsewhere';
    return check('docker', unless(isNeeded, 'missing'), docker.failure, remedy);
  }
  const { version, apiVersion } = docker;
  const found = `Docker ${version} (API ${apiVersion})`;
  return compareVersions(apiVersion, DOCKER_API) >= 0
    ? check('docker', 'ok', found)
    : check('docker', unless(isNeeded, 'missing'), found, `update it to 20.10 (API ${DOCKER_API}) or newer`);
}

/** The control plane itself never calls it. One that was built by hand may not know its version. */
function judgeCompose({ compose, runtime }: Facts): PreflightCheck {
  const found = compose === null ? 'none was found' : `Compose ${/\d/.test(compose) ? compose : 'of unknown version'}`;
  const isOld = compose !== null && /\d/.test(compose) && compareVersions(compose, COMPOSE) < 0;
  if (compose !== null && !isOld) return check('compose', 'ok', found);
  const remedy =
    'install docker-compose-plugin (v2) or docker-compose 1.29; only `docker compose up` and train.sh need it';
  return check('compose', unless(runtime === 'docker', 'warning'), found, remedy);
}

function judgeToolkit(facts: Facts): PreflightCheck {
  const { docker, probe, runtime } = facts;
  const isNeeded = runtime === 'docker' && hasGpus(facts);
  const name = 'nvidia-container-toolkit';
  if ('failure' in docker)
    return check(
      name,
      unless(isNeeded, 'missing'),
      'unknown without Docker',
      isNeeded ? 'get Docker to answer first' : null,
    );
  if (docker.gpuDriver === null) {
    const remedy =
      'install nvidia-container-toolkit, then: nvidia-ctk runtime configure --runtime=docker && systemctl restart docker';
    return check(name, unless(isNeeded, 'missing'), 'Docker gives no GPUs to containers', isNeeded ? remedy : null);
  }
  const way = docker.gpuDriver === 'cdi' ? 'Docker gives GPUs by CDI' : 'Docker gives GPUs by the NVIDIA runtime';
  if (!isNeeded || probe.kind === 'not_run')
    return check(name, 'ok', probe.kind === 'not_run' && isNeeded ? `${way}; not tried: ${probe.why}` : way);
  if (probe.kind === 'failed') {
    const remedy =
      'see `docker run --rm --gpus all <image> nvidia-smi`, and the manual of the toolkit for the words it prints';
    return check(name, 'missing', `${way}, but a container does not see them: ${probe.why}`, remedy);
  }
  const all = facts.gpus.gpus.length;
  return probe.gpus >= all
    ? check(name, 'ok', `${way}; a container saw ${probe.gpus}`)
    : check(
        name,
        'warning',
        `${way}; a container saw ${probe.gpus} of ${all}`,
        'look at GET /gpus for what is wrong with the rest',
      );
}

function judgeDriver(facts: Facts): PreflightCheck {
  const { driver_version: driver, cuda_version: cuda, source, problems } = facts.gpus;
  const name = 'driver';
  const remedy = `install an NVIDIA driver for CUDA ${CUDA} or newer (530 and up)`;
  if (source === 'file') return check(name, 'note', 'the GPUs are those that a file describes');
  if (driver === null) {
    const found = problems[0] ?? 'no NVIDIA driver was found';
    return check(name, unless(source === 'nvidia', 'missing'), found, source === 'nvidia' ? remedy : null);
  }
  const found = `driver ${driver}, CUDA ${cuda ?? 'of unknown version'}`;
  if (cuda === null) return check(name, 'warning', found, `see nvidia-smi; CUDA ${CUDA} is needed`);
  return compareVersions(cuda, CUDA) >= 0 ? check(name, 'ok', found) : check(name, 'missing', found, remedy);
}

function judgeGpus(facts: Facts): PreflightCheck {
  const { gpus, source } = facts.gpus;
  const usable = gpus.filter(({ health }) => health.verdict !== 'unusable').length;
  const names = [...new Set(gpus.map(({ name }) => name))].join(', ');
  const found = `${gpus.length === usable ? usable : `${usable} usable of ${gpus.length}`} GPUs${names === '' ? '' : ` (${names})`}`;
  if (gpus.length === 0) {
    return source === 'nvidia'
      ? check(
          'gpus',
          'missing',
          'no GPU can be seen',
          'see nvidia-smi on the host; in compose add compose/compose.gpu.yaml to COMPOSE_FILE',
        )
      : judgeNoGpus(facts);
  }
  if (usable >= GPUS_RECOMMENDED) return check('gpus', 'ok', found);
  if (usable >= GPUS_NEEDED) {
    return check(
      'gpus',
      'warning',
      found,
      `${GPUS_RECOMMENDED} are recommended; with ${usable} use the profile split-4`,
    );
  }
  return check(
    'gpus',
    'missing',
    found,
    `${GPUS_NEEDED} are needed for a model of 32 billion parameters; small ones do with the profiles split-2 and shared-1`,
  );
}

/** In a container of its own the control plane sees no GPU of the host unless it is given them. */
function judgeNoGpus({ gpus: { source }, docker, runtime, gpusLeftOut }: Facts): PreflightCheck {
  const isOverlooked =
    runtime === 'docker' && source === 'none' && !gpusLeftOut && !('failure' in docker) && docker.showsGpus;
  if (!isOverlooked) return check('gpus', 'note', 'none; runs use the CPU (profile cpu)');
  return check(
    'gpus',
    'warning',
    'the control plane sees none, but Docker has GPUs to give: runs use the CPU (profile cpu)',
    'in compose add compose/compose.gpu.yaml to COMPOSE_FILE in .env, elsewhere put nvidia-smi on the PATH; if there is no GPU, or none is meant, set TANDEM_GPUS=none',
  );
}

function judgeMemory(facts: Facts): PreflightCheck {
  const found = `${gigabytes(facts.memoryBytes)} GB of memory`;
  if (facts.memoryBytes >= MEMORY_GB * 1e9 * MEMORY_SLACK) return check('memory', 'ok', found);
  return hasGpus(facts)
    ? check('memory', 'missing', found, `${MEMORY_GB} GB are needed to load and train the models that GPUs are for`)
    : check('memory', 'note', `${found}; enough for small models on the CPU`);
}

function judgeDisk({ path, freeBytes }: Facts['disks'][number], facts: Facts): PreflightCheck {
  const found = `${gigabytes(freeBytes)} GB free at ${path}`;
  if (freeBytes >= DISK_GB * 1e9) return check('disk', 'ok', found);
  return hasGpus(facts)
    ? check(
        'disk',
        'missing',
        found,
        `${DISK_GB} GB are needed for models and checkpoints: make room, or put TANDEM_HOME and TANDEM_OUTPUTS on a larger disk`,
      )
    : check('disk', 'note', `${found}; enough for small models`);
}

/** What trainers put there belongs to them, and others may read it; of the directory itself nothing is asked. */
function judgeAdapters({ path, kind }: NonNullable<Facts['adapters']>): PreflightCheck {
  const name = 'TANDEM_ADAPTERS_DIR';
  if (kind === 'directory') return check(name, 'ok', `${path} is there`);
  if (kind === 'other') return check(name, 'missing', `${path} is no directory`, 'name a directory of the host');
  const remedy = 'make it, and let your inference server see it under the same path';
  return check(name, 'note', `${path} is not seen from here; on the host Docker makes it for the first run`, remedy);
}

function judgePort({ setting, port, state }: Facts['ports'][number]): PreflightCheck {
  const name = `port ${port}`;
  if (state === 'taken')
    return check(name, 'missing', 'another program listens there', `end it, or choose another with ${setting}`);
  return check(name, 'ok', state === 'ours' ? 'Tandem listens there' : 'free');
}

const keyUses: Record<RunKey, { without: string; remedy: string }> = {
  GBOX_API_KEY: { without: 'runs on GBox need it, others do not', remedy: 'put it into .env for runs on GBox' },
  HF_TOKEN: {
    without: 'gated and private models of the hub need it, others do not',
    remedy: 'put it into .env for such models',
  },
  WANDB_API_KEY: {
    without: 'runs with monitoring.enable_wandb send nothing to Weights & Biases',
    remedy: 'put it into .env for such runs; scripts/check_wandb.sh says whether it works',
  },
};

function judgeKey(key: RunKey, isSet: boolean): PreflightCheck {
  const { without, remedy } = keyUses[key];
  return isSet ? check(key, 'ok', 'set') : check(key, 'note', `${key} is not set: ${without}`, remedy);
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(0);
}

import { setTimeout as sleepFor } from 'node:timers/promises';
import { createInferenceEngine, type InferenceEngine } from '../../../services/inference/engine/engine.ts';
import { ApiError } from '../../../services/inference/server/api-error.ts';
import { json, type Reply, type Route } from '../../../services/inference/server/route.ts';
import type { Serving } from '../../../services/inference/start-server.ts';
import type { FakeSettings } from './arguments.ts';
import type { Faults } from './faults.ts';

/** The engine of the fake, which can be paused and put to sleep as vLLM's can. */
export interface EngineControl {
  readonly engine: InferenceEngine;
  /** Draws a token now and then for as long as the fault says. */
  drawSlowly(): Promise<void>;
  /** `/pause`, `/resume`, `/sleep`, `/wake_up` and what asks about them: vLLM's development mode. */
  routes(onWake: () => void): Route[];
}

const MAX_WAITING = 4096;
const SLOW_TOKEN_MS = 5;

export function createEngineControl(
  serving: Serving,
  { server, canSleep }: FakeSettings,
  faults: Faults,
): EngineControl {
  let current = start();
  let paused = false;
  let asleep = false;
  let slow = false;
  let goOn: () => void = () => undefined;
  let running: Promise<void> = Promise.resolve();

  function start(): InferenceEngine {
    return createInferenceEngine({
      limits: {
        ...{ maxBatchedTokens: server.maxNumBatchedTokens, maxLoras: server.maxLoras, maxSequences: server.maxNumSeqs },
        ...{ maxWaiting: MAX_WAITING, kvCacheBytes: server.kvCacheMemoryBytes },
      },
      decodeText: serving.tokenText.decode,
      observer: serving.metrics,
      now: () => performance.now() / 1000,
      onDeath: () => undefined,
    });
  }

  function hold(): void {
    if (paused || asleep) return;
    running = new Promise((resolve) => {
      goOn = resolve;
    });
  }

  /** What runs ends where it is; what comes waits. */
  function abortAll(): void {
    hold();
    current.stop();
    current = start();
  }

  const engine: InferenceEngine = {
    async generate(request) {
      if (faults.stuck) await new Promise(() => undefined);
      for (let seen = running; ; seen = running) {
        await seen;
        if (seen === running) return current.generate(request);
      }
    },
    get load() {
      return faults.stuck || slow ? { ...current.load, running: 1 } : current.load;
    },
    get death() {
      return faults.dead ? new Error('the engine is dead') : current.death;
    },
    forget: (model) => current.forget(model),
    resetPrefixes: () => current.resetPrefixes(),
    aside: (work) => current.aside(work),
    stop: () => current.stop(),
  };

  function pause(): Reply {
    abortAll();
    paused = true;
    return json({ status: 'paused' });
  }

  function sleep(): Reply {
    if (!canSleep) throw new ApiError(500, 'InternalServerError', 'Sleep mode is not enabled.');
    if (faults.ignoresSleep) return { kind: 'text', body: '' };
    abortAll();
    asleep = true;
    return { kind: 'text', body: '' };
  }

  async function drawSlowly(): Promise<void> {
    slow = true;
    for (const until = performance.now() + faults.slowMs; performance.now() < until; ) {
      serving.metrics.tokenDrawn();
      await sleepFor(SLOW_TOKEN_MS);
    }
    slow = false;
  }

  return {
    engine,
    drawSlowly,
    routes(onWake) {
      const post = (path: string, handle: () => Reply): Route => ({ method: 'POST', path, handle });
      const get = (path: string, handle: () => Reply): Route => ({ method: 'GET', path, handle });
      const resume = () => {
        paused = false;
        if (!asleep) goOn();
        return json({ status: 'resumed' });
      };
      const wake = (): Reply => {
        if (asleep) onWake();
        asleep = false;
        if (!paused) goOn();
        return { kind: 'text', body: '' };
      };
      return [
        ...[post('/pause', pause), post('/resume', resume), get('/is_paused', () => json({ is_paused: paused }))],
        ...[post('/sleep', sleep), post('/wake_up', wake), get('/is_sleeping', () => json({ is_sleeping: asleep }))],
      ];
    },
  };
}

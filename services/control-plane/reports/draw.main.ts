import { parentPort } from 'node:worker_threads';
import type { DrawReply, DrawRequest } from './draw-messages.ts';
import { drawPng } from './draw-png.ts';
import { drawSvg } from './draw-svg.ts';

/** The thread that draws pictures, so that the one that serves requests does not. */
if (parentPort === null) throw new Error('this program is started as a thread by drawing-thread.ts');
const port = parentPort;

function answer({ id, plots, format }: DrawRequest): DrawReply {
  try {
    const svgs = plots.map(drawSvg);
    return { id, pictures: format === 'svg' ? svgs : svgs.map(drawPng) };
  } catch (error) {
    return { id, failure: String(error instanceof Error ? error.stack : error) };
  }
}

port.on('message', (request: DrawRequest) => port.postMessage(answer(request)));

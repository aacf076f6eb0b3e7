import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Faults, type FrontFault, strikes } from './faults.ts';

const PAGE = '<!doctype html>\n<html><head><title>Welcome to the proxy</title></head><body>It works!</body></html>';
const DRIP_MS = 20;
const DRIPS = 20;

/** What stands before the server: it answers in its place, or spoils how its answer gets through. @returns whether it has answered */
export function frontOf(faults: Faults): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    if (request.url !== '/v1/completions' || !strikes(faults, 'front')) return false;
    const fault = faults.front!;
    const answer = answers[fault];
    if (answer) {
      request.resume();
      answer(response);
      return true;
    }
    const spoil = spoils[fault];
    if (spoil) response.end = ((body: string) => spoil(response, body)) as typeof response.end;
    return false;
  };
}

const answers: Partial<Record<FrontFault, (response: ServerResponse) => void>> = {
  'a page': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE),
  'a page with 502': (response) => response.writeHead(502, { 'content-type': 'text/html' }).end(PAGE),
  '503': (response) => response.writeHead(503).end(),
  '429': (response) => response.writeHead(429, { 'retry-after': '1' }).end('{"error":{"message":"too many"}}'),
  'a reset': (response) => void response.socket?.resetAndDestroy(),
  silence: () => undefined,
  'an endless body': (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = () => {
      while (response.write(' '.repeat(2 ** 16)));
    };
    response.on('drain', more);
    more();
  },
};

/** Given the whole of the answer, before its first byte. */
const spoils: Partial<Record<FrontFault, (response: ServerResponse, body: string) => ServerResponse>> = {
  'half a body': (response, body) => {
    response.write(body.slice(0, body.length / 2));
    return Object.getPrototypeOf(response).end.call(response);
  },
  'a body that breaks off': (response, body) => {
    response.write(body.slice(0, body.length / 2), () => response.socket?.destroy());
    return response;
  },
  'a slow drip': (response, body) => {
    const size = Math.ceil(body.length / DRIPS);
    let sent = 0;
    const timer = setInterval(() => {
      response.write(body.slice(sent, sent + size));
      sent += size;
      if (sent < body.length && !response.destroyed) return;
      clearInterval(timer);
      Object.getPrototypeOf(response).end.call(response);
    }, DRIP_MS);
    return response;
  },
};

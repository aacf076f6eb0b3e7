import { expect, it } from 'vitest';
import { refuseDebug } from './refuse-debug.ts';

it.each([
  'modem',
  '*',
  'express:*,modem',
  'mo*',
  'MODEM',
  'a *',
])('refuses DEBUG=%s, by which the client prints secrets', (debug) => {
  expect(refuseDebug(debug)).toMatch(/^DEBUG=\S+ would print .* Take it out/);
});

it.each([undefined, '', 'express:*', 'modem2', 'docker-modem', '*,-modem', '-modem'])('lets DEBUG=%s be', (debug) => {
  expect(refuseDebug(debug)).toBeNull();
});

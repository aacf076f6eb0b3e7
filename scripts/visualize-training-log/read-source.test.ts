import { expect, it } from 'vitest';
import { type Client, RefusedError } from '../quickstart/client.ts';
import { ReportError } from './exit-codes.ts';
import { readSource } from './read-source.ts';

const failing = (error: Error) => readSource('run-aaaaaaaa', () => Promise.reject<Client>(error));

it.each([
  ['no such run', new RefusedError('There is no run run-aaaaaaaa', 404), 66],
  ['a refusal', new RefusedError('too many', 429), 69],
  ['nobody', new TypeError('fetch failed'), 69],
])('says of %s what it is, so that a comparison can leave the run out', async (_, error, exitCode) => {
  await expect(failing(error)).rejects.toThrow(ReportError);
  await expect(failing(error)).rejects.toMatchObject({ message: error.message, exitCode });
});

import { describe, expect, it } from 'vitest';
import { readSettings } from './settings.ts';

const read = (environment: Record<string, string>) => readSettings(environment, '/srv/work');

describe('readSettings', () => {
  it('needs nothing', () => {
    expect(read({})).toMatchObject({
      port: 8080,
      address: '127.0.0.1',
      apiKey: null,
      home: '/srv/work/.tandem',
      outputs: '/srv/work/outputs',
      agentHost: '127.0.0.1',
      agentPort: 0,
      slots: 1,
      dataRoots: ['/srv/work', '/srv/work/.tandem', '/srv/work/outputs'],
      runBaselineEval: true,
      stopDeadlineMs: 120_000,
    });
  });

  it('refuses an address that other machines reach, unless there is a key', () => {
    expect(() => read({ TANDEM_ADDR: '0.0.0.0' })).toThrow(/set TANDEM_API_KEY as well/);
    expect(read({ TANDEM_ADDR: '0.0.0.0', TANDEM_API_KEY: 'x'.repeat(16) }).address).toBe('0.0.0.0');
  });

  it.each([
    [{ PORT: '80a' }, 'PORT: must be a whole number from 0 to 65535'],
    [{ PORT: '65536' }, 'PORT: must be a whole number from 0 to 65535'],
    [{ TANDEM_SLOTS: '0' }, 'TANDEM_SLOTS: must be a whole number from 1 to 1000'],
    [
      { TANDEM_API_KEY: 'short' },
      'TANDEM_API_KEY: must have at least 16 characters; for example: openssl rand -hex 32',
    ],
    [{ VERBOSE: 'maybe' }, 'VERBOSE: must be true or false, as in VERBOSE=true'],
    [
      { TANDEM_GPUS: 'nvidia' },
      'TANDEM_GPUS: is nvidia, but this build places runs on the CPU only; unset it or set it to none',
    ],
    [
      { TANDEM_AGENT_ADDR: '0.0.0.0:7000' },
      'TANDEM_AGENT_ADDR: 0.0.0.0:7000 is not a loopback address with a port, such as 127.0.0.1:0 (0: a free port, chosen once)',
    ],
  ])('says in one line what is wrong with %j', (environment, message) => {
    expect(() => read(environment)).toThrow(message);
  });
});

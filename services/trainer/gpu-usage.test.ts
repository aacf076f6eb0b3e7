import { expect, test } from 'vitest';
import { createGpuMeter, parseGpuUsage } from './gpu-usage.ts';

test('the usage of several GPUs is their mean utilisation and the sums of their memory', () => {
  expect(parseGpuUsage('90, 40000, 81559\n50, 20000, 81559\n')).toEqual({
    utilization: 70,
    memoryUsed: 60_000,
    memoryTotal: 163_118,
  });
});

test.each([
  '',
  '\n',
  'No devices were found\n',
  '[N/A], [N/A], [N/A]\n',
  '50, , 81559\n',
])('%j tells of no GPU', (text) => {
  expect(parseGpuUsage(text)).toBeNull();
});

test('the meter asks every five seconds, never makes anybody wait, and gives up where there is no nvidia-smi', async () => {
  let time = 0;
  let asked = 0;
  const meter = createGpuMeter({ visible: 'GPU-1', now: () => time, ask: async () => `${++asked}, 10, 20` });
  expect(meter.latest()).toBeNull();
  await Promise.resolve();
  await Promise.resolve();
  expect(meter.latest()?.utilization).toBe(1);
  time = 5000;
  meter.latest();
  await Promise.resolve();
  await Promise.resolve();
  expect([asked, meter.latest()?.utilization]).toEqual([2, 2]);

  const absent = {
    now: () => (time += 10_000),
    ask: async () => Promise.reject(Object.assign(new Error(), { code: 'ENOENT' })),
  };
  for (const [visible, times] of [
    ['GPU-1', 1],
    ['', 0],
    [undefined, 1],
  ] as const) {
    let calls = 0;
    const none = createGpuMeter({
      visible,
      now: absent.now,
      ask: () => {
        calls += 1;
        return absent.ask();
      },
    });
    for (let round = 0; round < 3; round += 1) {
      expect(none.latest()).toBeNull();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(calls).toBe(times);
  }
});

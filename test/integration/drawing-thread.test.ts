import { afterEach, expect, test } from 'vitest';
import { createDrawing, type Drawing } from '../../services/control-plane/reports/drawing-thread.ts';
import type { Plot } from '../../services/control-plane/reports/plot.ts';

const plot = (points: number): Plot => {
  const curve = { name: 'loss', color: 0, kind: 'line' as const };
  const data = Array.from({ length: points }, (_, at) => [at, Math.sin(at)] as const);
  return {
    title: 'Loss',
    notes: [],
    marks: [],
    panels: [{ label: 'Loss', scale: 'linear', curves: [{ ...curve, points: data }] }],
  };
};

let drawing: Drawing;
afterEach(() => drawing.close());

test('a picture that takes too long fails, with those behind it, and the next thread draws the next', async () => {
  drawing = createDrawing({ limitMs: 4000 });
  const [endless, behind] = await Promise.allSettled([drawing.svg([plot(3_000_000)]), drawing.png(plot(3))]);
  expect(endless).toMatchObject({
    status: 'rejected',
    reason: { message: expect.stringMatching(/gone: a picture took longer than 4000 ms/) },
  });
  expect(behind.status).toBe('rejected');
  expect((await drawing.svg([plot(3), plot(4)])).map((svg) => svg.slice(0, 5))).toEqual(['<svg ', '<svg ']);
});

test('a thread that nobody needs ends, and another one is started', async () => {
  drawing = createDrawing({ idleMs: 1 });
  const threads = () => process.getActiveResourcesInfo().filter((each) => each === 'MessagePort').length;
  const before = threads();
  expect(
    Buffer.from(await drawing.png(plot(3)))
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG');
  await expect.poll(threads).toBeLessThanOrEqual(before);
  expect(await drawing.svg([plot(3)])).toHaveLength(1);
});

test('what a thread cannot draw is told with its cause', async () => {
  drawing = createDrawing();
  await expect(drawing.svg([{} as Plot])).rejects.toThrow(/a picture cannot be drawn: TypeError/);
  expect(await drawing.svg([])).toEqual([]);
});

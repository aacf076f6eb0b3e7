import { describe, expect, it } from 'vitest';
import { drawPng } from './draw-png.ts';
import { drawSvg } from './draw-svg.ts';
import { measureLog } from './measures.ts';
import { type RunPlotOptions, runPlots } from './run-plots.ts';
import { judgeLog } from './training-log.ts';

const plain: RunPlotOptions = { title: 'mine', resumes: [] };
const measured = (document: unknown) => measureLog(judgeLog(document));
const grpo = (values: (step: number) => object, count = 30, more: object = {}) =>
  measured({
    config: { kl_coef: 0 },
    train_history: Array.from({ length: count }, (_, at) => ({ step: at + 1, ...values(at + 1) })),
    val_history: [],
    ...more,
  });

describe('the pictures of a run', () => {
  it('are those its log has numbers for', () => {
    const names = (log: object) => Object.keys(runPlots(measured(log), plain));
    const row = { step: 1, loss: 1 };
    expect(names({ train_history: [{ ...row, learning_rate: 1 }] })).toEqual(['loss_curve', 'lr_curve']);
    expect(names({ train_history: [{ ...row, reward: 1, kl: 0, lr: 1 }] })).toEqual([
      'loss_curve',
      'reward_curve',
      'kl_curve',
      'lr_curve',
    ]);
    expect(names({ config: { beta: 1 }, train_history: [{ ...row, accuracy: 1, reward_margin: 0 }] })).toEqual([
      'loss_curve',
      'reward_curve',
    ]);
    expect(names({ train_history: [] })).toEqual([]);
  });

  it('show training raw and smoothed beside validation, components of a reward below, and what happened', () => {
    const log = grpo((step) => ({ reward: step }), 30, {
      val_history: [{ step: 20, val_reward: 0.5, val_format: 0.9, val_bbox: 0.4, val_category: 0.3 }],
      best_checkpoint: { step: 20 },
    });
    const plot = runPlots(log, { title: 'mine', resumes: [{ attempt: 2, step: 10 }] }).reward_curve;
    expect(plot?.panels.map(({ curves }) => curves.map(({ name }) => name))).toEqual([
      ['reward (train, raw)', 'reward (train, smoothed)', 'val_reward (validation)'],
      ['val_format (validation)', 'val_bbox (validation)', 'val_category (validation)'],
    ]);
    expect(plot?.marks.map(({ label, step }) => [label, step])).toEqual([
      ['resumed (a2)', 10],
      ['best (step 20)', 20],
    ]);
    const colors = plot?.panels.flatMap(({ curves }) => curves.map(({ color }) => color));
    expect(new Set(colors).size).toBe(5);
  });

  it('have a logarithmic scale where a rate spans decades, and a linear one where it does not', () => {
    const scale = (lr: (step: number) => number) =>
      runPlots(
        grpo((step) => ({ lr: lr(step) })),
        plain,
      ).lr_curve?.panels[0]?.scale;
    expect(scale((step) => 10 ** (-step / 10))).toBe('log');
    expect(scale((step) => 1e-5 * (1 - step / 31))).toBe('log');
    expect(scale((step) => 1e-5 * (30 - step))).toBe('linear');
  });

  it("find the best step of SFT's log by its metric", () => {
    const log = measured({
      config: { lora_r: 8 },
      train_history: [{ step: 1, loss: 1 }],
      val_history: [
        { step: 5, eval_loss: 0.5 },
        { step: 10, eval_loss: 0.4 },
      ],
      final_metrics: { best_metric: 0.4, best_checkpoint: 'p' },
    });
    expect(runPlots(log, plain).loss_curve?.marks[0]?.step).toBe(10);
  });

  it.each([
    ['one point', (step: number) => (step === 1 ? { loss: 0.5 } : {})],
    ['nothing but NaN', () => ({ loss: 'NaN' })],
    ['huge values', (step: number) => ({ loss: step % 2 === 0 ? 1e308 : -1e308 })],
    ['the same value', () => ({ loss: 0.1 })],
  ])('are drawn of %s', (_, values) => {
    const plot = runPlots(grpo(values), plain).loss_curve;
    const svg = drawSvg(plot as NonNullable<typeof plot>);
    expect(svg).toMatch(/^<svg .*<\/svg>$/s);
    expect(svg).not.toContain('NaN');
  });

  it('have the name of a run as it is, be it a pattern of replacements', () => {
    const plot = runPlots(
      grpo((step) => ({ loss: step })),
      { ...plain, title: 'a$&b' },
    ).loss_curve;
    const svg = drawSvg(plot as NonNullable<typeof plot>);
    expect(svg).toMatch(/^<svg role="img" aria-label="Loss · a\$&#38;b[^<]*" [^<]*>/);
  });

  it('escape a title, hold nothing that runs or loads, and become a PNG', () => {
    const hostile = `<script>alert(1)</script>"'&\u0000\u001b[31m\ud800{b}`;
    const plot = runPlots(
      grpo((step) => ({ loss: step })),
      { ...plain, title: hostile },
    ).loss_curve;
    const svg = drawSvg(plot as NonNullable<typeof plot>);
    expect(svg).not.toMatch(/<script|<style|<image|href=|url\((?!#)|onload|ecmeta/);
    expect(svg).toContain('&lt;script&gt;');
    const png = Buffer.from(drawPng(svg));
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect(png.readUInt32BE(16)).toBe(1440);
  });
});

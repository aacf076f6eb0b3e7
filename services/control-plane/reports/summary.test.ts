import { describe, expect, it } from 'vitest';
import { renderSummary } from './summary.ts';
import { judgeLog } from './training-log.ts';

const config = {
  model_path: 'Qwen/Qwen3-0.6B',
  train_data: 'train.jsonl',
  val_data: 'val.jsonl',
  output_dir: 'outputs/mine',
  num_epochs: 3,
  batch_size: 4,
  learning_rate: 1e-5,
  gradient_accumulation_steps: 4,
};
const rows = (count: number, row: (step: number) => object) =>
  Array.from({ length: count }, (_, at) => row((at + 1) * 10));
const sections = (text: string) => text.split('\n\n').slice(2);

describe('the summary of a log', () => {
  it('of a GRPO run has these very lines', () => {
    const log = judgeLog({
      config: { ...config, num_generations: 4, kl_coef: 0.05 },
      train_history: rows(150, (step) => ({
        step,
        epoch: step / 500,
        samples: step * 4,
        loss: 0.02344,
        reward: 0.75,
        kl: 0.00316,
        lr: 1e-5,
      })),
      val_history: rows(5, (step) => ({
        step: step * 20,
        epoch: step / 25,
        samples: step * 80,
        val_reward: 0.7,
        val_format: null,
      })),
      best_checkpoint: { step: 1000, epoch: 2, samples: 4000, val_reward: 0.71234, path: 'outputs/mine/best_model' },
    });
    expect(renderSummary(log)).toBe(`============================================================
Training Summary
============================================================

Configuration:
  Model: Qwen/Qwen3-0.6B
  Output: outputs/mine
  Epochs: 3
  Batch Size: 4
  Learning Rate: 1e-05
  Gradient Accumulation: 4

Training History: 150 entries
  Final Step: 1500
  Final Epoch: 3
  Final loss: 0.0234
  Final reward: 0.7500
  Final kl: 0.0032
  Final lr: 1.00e-05

Validation History: 5 entries
  Final Step: 1000
  Final Epoch: 2
  Final val_reward: 0.7000

Best Checkpoint:
  Step: 1000
  Epoch: 2
  Samples: 4000
  val_reward: 0.7123
  Path: outputs/mine/best_model
============================================================
`);
  });

  it('of an SFT run names its learning rate in the same way, and the metric of the best', () => {
    const log = judgeLog({
      config: { ...config, lora_r: 16 },
      train_history: [{ step: 10, epoch: 0.1, loss: 1.5, learning_rate: 2e-4 }],
      val_history: [{ step: 10, epoch: 0.1, eval_loss: 0.42 }],
      final_metrics: { best_metric: 0.42, best_checkpoint: 'outputs/mine/best_model' },
    });
    expect(sections(renderSummary(log))).toEqual([
      'Training History: 1 entries\n  Final Step: 10\n  Final Epoch: 0.1\n  Final loss: 1.5000\n  Final lr: 2.00e-04',
      'Validation History: 1 entries\n  Final Step: 10\n  Final Epoch: 0.1\n  Final eval_loss: 0.4200',
      `Best Checkpoint:\n  Metric: 0.4200\n  Path: outputs/mine/best_model\n${'='.repeat(60)}\n`,
    ]);
  });

  it('of a DPO run has accuracy and margin', () => {
    const log = judgeLog({
      config: { ...config, beta: 0.1 },
      train_history: [{ step: 10, epoch: 0.1, loss: 0.69, accuracy: 0.5, reward_margin: 0.01 }],
      val_history: [],
      best_checkpoint: null,
    });
    expect(renderSummary(log)).toContain(
      '  Final loss: 0.6900\n  Final accuracy: 0.5000\n  Final reward_margin: 0.0100\n',
    );
  });

  it.each([
    [{ ...config, val_data: null }, 'no val_data is set'],
    [{ ...config, eval_steps: 0 }, 'eval_steps is 0'],
    [config, 'the first comes after eval_steps steps'],
  ])('says why nothing was validated: %#', (given, why) => {
    const text = renderSummary(judgeLog({ config: given, train_history: [], val_history: [] }));
    expect(text).toContain(`Validation History: 0 entries\n  none`);
    expect(text).toContain(why);
    expect(text).toContain('Best Checkpoint:\n  none yet');
  });

  it('shows numbers that are none, and hides what a terminal would obey', () => {
    const text = renderSummary(
      judgeLog({
        config: { model_path: `\u001b[31mred\u202e\nPosing: as a line${'x'.repeat(1e6)}` },
        train_history: [{ step: 1, epoch: null, loss: 'NaN', reward: 'Infinity', kl: null, lr: 0 }],
        val_history: [],
        best_checkpoint: { constructor: 'a', __proto__: 'b' },
      }),
    );
    expect(text).toMatch(/ {2}Model: red Posing: as a linex{100,200}…\n/);
    expect(text).toContain('  Final Epoch: n/a\n  Final loss: nan\n  Final reward: inf\n  Final lr: 0.00e+00\n');
    expect(text).toContain('  constructor: a\n');
  });
});

it('writes an epoch with four decimals at most', () => {
  const last = (epoch: number) => renderSummary(judgeLog({ train_history: [{ step: 10, epoch, loss: 1 }] }));
  expect(last(2.33333333333)).toContain('  Final Epoch: 2.3333\n');
  expect(last(2.5)).toContain('  Final Epoch: 2.5\n');
});

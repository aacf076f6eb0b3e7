import { expect, it } from 'vitest';
import { readOptions, UsageError } from './options.ts';

it('takes the flags that users know, in either spelling', () => {
  const wanted = { configs: ['a.yaml'], resumeFrom: 'outputs/x/checkpoints/checkpoint-500', resume: false, url: null };
  const path = 'outputs/x/checkpoints/checkpoint-500';
  expect(readOptions(['--config', 'a.yaml', '--resume_from_checkpoint', path], {})).toMatchObject(wanted);
  expect(readOptions(['--config=a.yaml', `--resume-from-checkpoint=${path}`], {})).toMatchObject(wanted);
  expect(readOptions(['--config', 'a.yaml', '--config', 'b.yaml', '--resume'], {})).toMatchObject({
    configs: ['a.yaml', 'b.yaml'],
    resume: true,
  });
  expect(readOptions(['--help'], {})).toBeNull();
});

it('takes the control plane from the environment, the flag first', () => {
  expect(readOptions(['--config', 'a'], { TANDEM_URL: 'http://10.0.0.1:8080/' })?.url).toBe('http://10.0.0.1:8080');
  expect(readOptions(['--config', 'a', '--url', 'http://b'], { TANDEM_URL: 'http://a' })?.url).toBe('http://b');
  expect(readOptions(['--config', 'a'], { TANDEM_URL: '' })?.url).toBeNull();
});

it.each([
  [[], /--config is missing/],
  [['--config', 'a', '--method', 'ppo'], /--method is ppo; it is one of grpo, sft, dpo/],
  [['--config', 'a', '--resume', '--resume_from_checkpoint', 'p'], /exclude each other/],
  [['--config', 'a', '--url', 'nowhere'], /nowhere is no URL/],
  [['--confg', 'a'], /--confg/],
])('refuses %j with what is wrong', (args, message) => {
  const read = () => readOptions(args, {});
  expect(read).toThrow(UsageError);
  expect(read).toThrow(message);
});

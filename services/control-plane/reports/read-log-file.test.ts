import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LogFileError, parseLog, readLogFile } from './read-log-file.ts';

const whole = JSON.stringify({
  config: { model_path: 'm', note: 'a "quoted" } brace' },
  train_history: [1, 2, 3].map((step) => ({ step, loss: 0.5 })),
  val_history: [{ step: 3, eval_loss: 0.4 }],
});

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-log-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('a log file', () => {
  it("is read with Python's words for numbers that are none", () => {
    const { log, damage } = parseLog(
      '{"train_history": [{"step": 1, "loss": NaN}, {"step": 2, "loss": -Infinity}]}',
      'f',
    );
    expect(log.train).toEqual([
      { step: 1, loss: 'NaN' },
      { step: 2, loss: '-Infinity' },
    ]);
    expect([log.validation, log.config, log.best, damage]).toEqual([[], {}, null, null]);
  });

  it('that was cut off at any byte shows its whole entries or says why it cannot', () => {
    for (let end = 1; end < whole.length; end++) {
      const text = whole.slice(0, end);
      const shown = whole.slice(0, end).split('"step":').length - 1;
      try {
        const { log, damage } = parseLog(text, 'f');
        const read = log.train.length + log.validation.length;
        expect([shown - 1, shown]).toContain(read);
        expect(damage).toContain(
          `was cut off: ${log.train.length} training and ${log.validation.length} validation entries`,
        );
      } catch (error) {
        expect(error).toBeInstanceOf(LogFileError);
        expect(text).not.toContain('[');
      }
    }
  });

  it('that a power cut has filled up with zeros is read up to them', () => {
    expect(parseLog(`${whole.slice(0, -20)}${'\0'.repeat(4096)}`, 'f').log.train).toHaveLength(3);
  });

  it('with a line of 10 MB is read', () => {
    const long = JSON.stringify({ config: { note: 'x'.repeat(1e7) }, train_history: [{ step: 1 }] });
    expect(parseLog(long, 'f').log.train).toHaveLength(1);
  });

  it.each([
    ['', /is empty: .*look again/],
    ['\n ', /is empty/],
    ['\0\0\0\0', /zeros alone/],
    ['\u007fELF\u0002\u0001', /is no JSON object/],
    ['hello', /is no JSON object/],
    ['[1, 2]', /is no JSON object/],
    ['null', /is no JSON object/],
    ['{"a": 1}', /no train_history/],
    ['{"train_history": {}}', /no train_history/],
    ['{"train_history": [1]}', /entries .* no objects/],
    ['{"train_history": [], "val_history": 3}', /val_history that is no list/],
    ['{"log_history": []}', /trainer_state\.json/],
    ['{"is_baseline": false}', /holds one evaluation/],
    ['{"train_history": [{"step": 1}, @#], "val_history": []}', /damaged in its middle/],
    [`{"train_history": ${'['.repeat(70)}${']'.repeat(70)}}`, /nested/],
    ['{"conf', /was cut off before its first entry/],
  ])('that holds %j is refused with one line', (text, message) => {
    const parse = () => parseLog(text, 'some/file.json');
    expect(parse).toThrow(LogFileError);
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^some\/file\.json .*$/);
  });

  it('that is missing, a directory, a pipe or too large is refused without waiting', async () => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    writeFileSync(join(directory, 'file'), 'x');
    await expect(readLogFile(join(directory, 'none'))).rejects.toMatchObject({
      isMissing: true,
      message: expect.stringContaining('does not exist'),
    });
    await expect(readLogFile(join(directory, 'file', 'none'))).rejects.toMatchObject({ isMissing: true });
    await expect(readLogFile(directory)).rejects.toThrow(/is a directory; give the file in it: .*training_log\.json/);
    await expect(readLogFile(pipe)).rejects.toThrow(/no regular file/);
    execFileSync('truncate', ['-s', '300M', join(directory, 'large')]);
    await expect(readLogFile(join(directory, 'large'))).rejects.toThrow(/more than the \d+ that are read/);
  });
});

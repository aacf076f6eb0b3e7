import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from './testing/support.ts';
import { makeTinyModel } from './tiny-model.ts';
import { loadTokenizer } from './tokenizer.ts';

describe('the tiny tokenizer', () => {
  test('takes 14 tokens for a chat prompt with a sum and 4 for a three-digit answer', async () => {
    const { tokenizer } = await tiny();
    const prompt = tokenizer.applyChatTemplate([{ role: 'user', content: '38+47=' }], { addGenerationPrompt: true });
    expect(prompt).toBe('<|im_start|>user\n38+47=<|im_end|>\n<|im_start|>assistant\n');
    expect(tokenizer.encode(prompt)).toHaveLength(14);
    expect(tokenizer.encode('123<|im_end|>')).toHaveLength(4);
  });

  test('gives any text back, special tokens as asked', async () => {
    const { tokenizer } = await tiny();
    for (const text of ['', ' 1 + 2\t=\r\n', 'Ünïcödé 漢字 👩‍👩‍👧 \u0000', 'the user and the assistant', 'a  b ,c .']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
    const ids = tokenizer.encode('85<|im_end|>');
    expect(tokenizer.decode(ids)).toBe('85<|im_end|>');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('85');
  });

  test('knows its end tokens from generation_config, config and tokenizer_config together', async () => {
    const { tokenizer } = await tiny();
    expect(tokenizer.eosTokenIds).toEqual(['<|endoftext|>', '<|im_end|>'].map((token) => tokenizer.tokenId(token)));
    expect(tokenizer.padTokenId).toBe(tokenizer.tokenId('<|endoftext|>'));
  });
});

test('a tokenizer with more ids than the model embeds is refused', async () => {
  const { dir } = await tiny();
  await expect(loadTokenizer(dir, { vocabSize: 261 })).rejects.toThrow(/ids up to 261 but the model embeds 261/);
  await expect(loadTokenizer(dir, { vocabSize: 300 })).resolves.toMatchObject({ vocabSize: 262 });
});

test('the hash changes with the template and not with the directory', async () => {
  const [first, second] = [await tiny(), await tiny()];
  expect(second.tokenizer.hash).toBe(first.tokenizer.hash);
  await writeFile(path.join(second.dir, 'chat_template.jinja'), '{{ messages[0].content }}{{ bos_token }}');
  const changed = await loadTokenizer(second.dir);
  expect(changed.applyChatTemplate([{ role: 'user', content: 'x' }])).toBe('x');
  expect(changed.hash).not.toBe(first.tokenizer.hash);
});

test('variables reach the template, and its refusal reaches the caller', async () => {
  const { dir } = await tiny();
  const template =
    "{% if messages|length > 1 %}{{ raise_exception('one message only') }}{% endif %}{{ enable_thinking }}";
  await writeFile(path.join(dir, 'chat_template.jinja'), template);
  const tokenizer = await loadTokenizer(dir);
  const message = { role: 'user', content: 'x' };
  expect(tokenizer.applyChatTemplate([message], { variables: { enable_thinking: false } })).toBe('false');
  expect(() => tokenizer.applyChatTemplate([message, message])).toThrow(
    /template refused the messages: one message only/,
  );
});

test('files that are missing, broken or without a template are refused by name', async () => {
  const { dir } = await tiny();
  const settings = JSON.parse(await readFile(path.join(dir, 'tokenizer_config.json'), 'utf8'));
  await writeFile(path.join(dir, 'tokenizer_config.json'), JSON.stringify({ ...settings, chat_template: undefined }));
  const tokenizer = await loadTokenizer(dir);
  expect(tokenizer.hasChatTemplate).toBe(false);
  expect(() => tokenizer.applyChatTemplate([])).toThrow(/has no chat template: give prompts as text/);
  await writeFile(path.join(dir, 'chat_template.jinja'), '{% if %}');
  await expect(loadTokenizer(dir)).rejects.toThrow(/chat template does not parse/);
  await writeFile(path.join(dir, 'tokenizer.json'), '{"model":{"type":"Nonsense"}}');
  await expect(loadTokenizer(dir)).rejects.toThrow(/tokenizer.json is not a tokenizer/);
  await expect(loadTokenizer(await temporaryDirectory())).rejects.toThrow(/tokenizer.json cannot be read/);
});

async function tiny() {
  const dir = await temporaryDirectory();
  const config = await makeTinyModel(dir);
  return { dir, tokenizer: await loadTokenizer(dir, config) };
}

import { describe, expect, it } from 'vitest';
import { ArgumentError, parseServerArguments } from './arguments.ts';

describe('parseServerArguments', () => {
  it('needs a model alone and serves it under its path, as vLLM does', () => {
    expect(parseServerArguments(['--model', '/m'])).toMatchObject({
      model: '/m',
      servedModelName: '/m',
      host: '127.0.0.1',
      port: 8000,
      maxModelLen: null,
      enableLora: false,
      maxLoraRank: 16,
      loraModules: {},
      quantised: false,
      adaptersRoot: null,
      readyFile: null,
    });
  });

  it('serves adapters from the start, each named by an argument of its own', () => {
    const modules = ['--lora-modules', 'a=/x/a', '--lora-modules', 'b=/x/b=c'];
    expect(parseServerArguments(['--model', 'm', '--enable-lora', ...modules]).loraModules).toEqual({
      a: '/x/a',
      b: '/x/b=c',
    });
  });

  it.each([
    [['--model', 'm', '--lora-modules', 'a=/a'], '--lora-modules needs --enable-lora'],
    [
      ['--model', 'm', '--enable-lora', '--lora-modules', '/a'],
      "must be <name>=<directory>, once for each adapter; got '/a'",
    ],
    [[], '--model is missing'],
    [['--model', 'm', '--port', '70000'], '--port must be an integer from 0 to 65535'],
    [['--model', 'm', '--max-loras', 'two'], '--max-loras must be an integer'],
    [['--model', 'm', '--max-model-len', '1'], '--max-model-len must be an integer from 2'],
    [['--model', 'm', '--max-lora-rnk', '8'], "Unknown option '--max-lora-rnk'"],
    [['--model', 'm', '--quantization', 'awq'], '--quantization must be bitsandbytes'],
    [['--model', 'm', 'extra'], "Unexpected argument 'extra'"],
  ])('refuses %j and names the argument', (argv, message) => {
    expect(() => parseServerArguments(argv)).toThrow(message);
    expect(() => parseServerArguments(argv)).toThrow(ArgumentError);
  });
});

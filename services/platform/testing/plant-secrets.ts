/** For tests: secrets, and lines that hold them in all the ways in which programs write them down. */

export interface Planted {
  /** Variables of the environment that hold some of them. */
  env: Record<string, string>;
  /** What must not be found anywhere. */
  secrets: readonly string[];
  /** A text with one of them in it. */
  text(): string;
  /** A value with one of them in it, at some depth, in a key or in a string. */
  value(): Record<string, unknown>;
}

/** The same for the same seed. */
export function plantSecrets(seed: number): Planted {
  let state = seed >>> 0;
  // mulberry32
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number) => Math.floor(random() * count);
  const one = <T>(choices: readonly T[]) => choices[below(choices.length)] as T;
  const letters = (count: number, of = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789') =>
    Array.from({ length: count }, () => of[below(of.length)]).join('');

  const env = {
    WANDB_API_KEY: letters(40),
    GBOX_KEY: letters(12, 'abc"\\/+= <>&%ü?xyz123'),
    HF_TOKEN: letters(24),
    TANDEM_S3_SECRET_KEY: letters(30, 'abcdefgh/+=0123456789'),
    DB_PASSWORD: letters(9, 'abc$^*()[]{}|.?\\xyz'),
    SIGNING_SECRET: `${letters(20)}\n${letters(20)}`,
  };
  const values = Object.values(env);
  const hf = `hf_${letters(34)}`;
  const openAi = `sk-proj-7${letters(30)}`;
  const bearer = letters(32);
  const password = letters(14);
  const signature = letters(64, '0123456789abcdef');
  const attempt = `tandem_at_${letters(43)}`;
  const shaped = [hf, openAi, attempt];
  const secrets = [...values.filter((value) => !value.includes('\n')), ...shaped, bearer, password, signature];
  secrets.push(...env.SIGNING_SECRET.split('\n'));

  const broken = (secret: string) => {
    const at = 4 + below(secret.length - 6);
    return secret.slice(0, at) + one(['\n', '\r\n']) + secret.slice(at);
  };
  const forms: (() => string)[] = [
    () => one(values),
    () => JSON.stringify({ note: one(values) }),
    () => encodeURIComponent(one(values)),
    () => broken(one(values.filter((value) => value.length > 20))),
    () => one(shaped),
    () => broken(one(shaped)),
    () => `Authorization: Bearer ${bearer}`,
    () => `curl -H "authorization: bearer ${bearer}" http://host`,
    () => `https://someone:${password}@host.example/v1`,
    () => `http://store/bucket/key?X-Amz-Credential=AKIAEXAMPLE&X-Amz-Signature=${signature}&x=1`,
    () => `https://storage/x?X-Goog-Signature=${signature}`,
    () => `{"url":"http://store/k?a=1\\u0026X-Amz-Signature=${signature}"}`,
    () => `MY_PASSWORD=${password}`,
    () => `db_password: ${password}, retrying`,
    () => `{'api_key': '${password}'}`,
    () => JSON.stringify(JSON.stringify({ access_token: password })),
    () => `export SOME_KEY="${password}"`,
  ];
  const text = () =>
    `${one(['', 'Step 3 | ', 'ü\u0000 ', 'a\nb '])}${one(forms)()}${one(['', ' end', '\nnext line', '"'])}`;
  const value = (): Record<string, unknown> => {
    const leaf = one([
      () => ({ [one(['note', 'url', 'error'])]: text() }),
      () => ({ [text()]: 1 }),
      () => ({ [one(['api_key', 'accessToken', 'db_password', 'Authorization', 'GBOX_KEY'])]: password }),
      () => ({ secrets: [text(), { token: [password] }] }),
    ])();
    return Array.from({ length: below(5) }).reduce<Record<string, unknown>>(
      (inner, _, depth) => (depth % 2 === 0 ? { inside: inner } : { list: [0, inner, null] }),
      leaf,
    );
  };
  return { env, secrets, text, value };
}

/** Which of the secrets are in this text: as they are, escaped as in JSON, percent-encoded, or with line ends in them. */
export function secretsIn(text: string, secrets: readonly string[]): string[] {
  const joined = text.replace(/\\r|\\n|[\r\n]/g, '');
  return secrets.filter((secret) =>
    [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)].some(
      (form) => text.includes(form) || joined.includes(form),
    ),
  );
}

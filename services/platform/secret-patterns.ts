/*
 * What secrets look like. Hostile text is searched too, so no pattern takes more than linear time: each begins with a literal or a fixed boundary, and what
 * it repeats is bounded or cannot begin again inside itself.
 */

export const HIDDEN = '[redacted]';

/** Tokens of a tokenizer and counts of tokens are no secrets. */
const NO_TOKEN = '(?<!(?:bos|eos|pad|unk|sep|cls|mask|special|image|stop|next|last|first|max|per)[_ -]?)token';
const NAME = `(?:api[_-]?key|access[_-]?key|private[_-]?key|secret|passw(?:or)?d|credentials?|authorization|cookie|${NO_TOKEN})`;
const NAME_AT_END = new RegExp(`${NAME}$`, 'i');

/** Whether what stands under this name is a secret: `api_key`, `accessToken`, `WANDB_KEY`; not `eos_token` and not `sort_key`. */
export function isSecretName(name: string): boolean {
  return NAME_AT_END.test(name) || /_KEY$/.test(name);
}

/** What is replaced by what in a line, in this order. */
export const secretPatterns: readonly [RegExp, string][] = [
  // RFC 7468, with real line ends or escaped ones
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,20000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?/g, HIDDEN],
  // RFC 6750 bearer tokens, RFC 7617 basic credentials
  [/\b(Bearer\s{1,4}|Authorization\W{1,5}Basic\s{1,4})[A-Za-z0-9._~+/=-]{6,}/gi, `$1${HIDDEN}`],
  // credentials in URLs (RFC 3986 userinfo)
  [/(:\/\/)[^\s/@"'<>]{1,1000}@/g, `$1${HIDDEN}@`],
  // signatures of presigned URLs: AWS, in its old form too, Google, Azure
  [/(X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)(?:=|%3D))[^&\s"'\\<>]+/gi, `$1${HIDDEN}`],
  [/([?&](?:Signature|AWSAccessKeyId|sig|token|key)=)[^&\s"'\\<>]+/gi, `$1${HIDDEN}`],
  // "api_key": "..." as in JSON, in JSON inside of a string, and in Python
  [
    new RegExp(
      `(${NAME}\\\\{0,3}["']\\s{0,4}[:=]\\s{0,4}\\\\{0,3})(["'])(?!\\[redacted\\])(?:(?!\\2)[^\\\\]|\\\\.)+`,
      'gi',
    ),
    `$1$2${HIDDEN}`,
  ],
  // api_key=..., GBOX_KEY=...; a small number is a count
  [new RegExp(`(${NAME}=)(?!\\[redacted\\]|\\d{1,5}\\b)["']?[^\\s&"',;]+`, 'gi'), `$1${HIDDEN}`],
  [/(_KEY=)(?!\[redacted\])["']?[^\s&"',;]+/g, `$1${HIDDEN}`],
  // password: ...
  [
    new RegExp(`(${NAME}:\\s{1,4})(?!\\[redacted\\]|[<{[(]|(?:Bearer|Basic)\\b|\\d{1,5}\\b)["']?[^\\s&"',;]{6,}`, 'gi'),
    `$1${HIDDEN}`,
  ],
  ...shapes('').map((shape): [RegExp, string] => [shape, HIDDEN]),
];

const LINE_END = '[\\r\\n]{0,2}';

/** Keys with line ends in them, put there by a terminal's wrapping for example. They are looked for after those in one line. */
export const brokenShapes: readonly RegExp[] = shapes(LINE_END);

/**
 * Keys that are known by their looks, wherever they stand: Hugging Face, OpenAI and those who write theirs alike, GitHub, GitLab, Slack, AWS, tokens of
 * Tandem's attempts, and JSON web tokens (RFC 7519). `between` may stand between any two of their characters.
 */
function shapes(between: string): RegExp[] {
  const literal = (text: string) => [...text].map((character) => character + between).join('');
  const many = (characters: string, least: number) => `(?:[${characters}]${between}){${least},}`;
  const alternatives = [
    literal('hf_') + many('A-Za-z0-9', 20),
    `${literal('sk-')}(?=[A-Za-z_\\r\\n-]{0,100}\\d)${many('\\w-', 16)}`,
    `${literal('gh')}[pousr]${between}${literal('_')}${many('A-Za-z0-9', 30)}`,
    literal('github_pat_') + many('\\w', 30),
    literal('glpat-') + many('\\w-', 20),
    `${literal('xox')}[abprs]${between}${literal('-')}${many('\\w-', 10)}`,
    `A${between}[KS]${between}${literal('IA')}${many('A-Z0-9', 16)}`,
    literal('tandem_at_') + many('\\w-', 43),
    `${literal('eyJ')}${many('\\w-', 8)}\\.${between}${literal('eyJ')}${many('\\w-', 8)}\\.${between}${many('\\w-', 8)}`,
  ];
  return [new RegExp(`(?<![A-Za-z0-9])(?:${alternatives.join('|')})`, 'g')];
}

/** One pattern for these secrets in every form in which they may be written; null for none. Each long line of one that has several counts too. */
export function secretValues(known: readonly string[]): RegExp | null {
  const forms = known
    .flatMap(linesOf)
    .flatMap((each) => [each, JSON.stringify(each).slice(1, -1), encodeURIComponent(each)]);
  return anyOf(forms.map(escape));
}

/** The same for secrets that have line ends in them. */
export function brokenValues(known: readonly string[]): RegExp | null {
  return anyOf(known.flatMap(linesOf).map((value) => [...value].map(escape).join(LINE_END)));
}

function linesOf(value: string): string[] {
  return [value, ...value.split(/\r?\n/).filter((line) => line !== value && line.length >= 12)];
}

function anyOf(alternatives: readonly string[]): RegExp | null {
  const longestFirst = [...new Set(alternatives)].sort((a, b) => b.length - a.length);
  return longestFirst.length === 0 ? null : new RegExp(longestFirst.join('|'), 'g');
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Special tokens of the tiny model, after the 256 bytes. */
export const TINY_TOKENS = {
  endOfText: 256,
  imStart: 257,
  imEnd: 258,
  user: 259,
  assistant: 260,
  system: 261,
} as const;

/** Bytes, three special tokens and three roles. */
export const TINY_VOCAB_SIZE = 262;

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/**
 * `tokenizer.json` of a byte-level vocabulary with no merges: one token per byte, so any text can be encoded, and one per role,
 * so a chat prompt stays short: `38+47=` as a user message with the generation prompt is 14 tokens.
 */
export function tinyTokenizerJson(): Record<string, unknown> {
  const vocab = Object.fromEntries(byteAlphabet().map((character, byte) => [character, byte]));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      addedToken(TINY_TOKENS.endOfText, '<|endoftext|>', true),
      addedToken(TINY_TOKENS.imStart, '<|im_start|>', true),
      addedToken(TINY_TOKENS.imEnd, '<|im_end|>', true),
      addedToken(TINY_TOKENS.user, 'user', false),
      addedToken(TINY_TOKENS.assistant, 'assistant', false),
      addedToken(TINY_TOKENS.system, 'system', false),
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: [],
    },
  };
}

/** `tokenizer_config.json`, with a ChatML template. */
export function tinyTokenizerConfig(maxPositions: number): Record<string, unknown> {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: maxPositions,
    clean_up_tokenization_spaces: false,
    eos_token: '<|im_end|>',
    pad_token: '<|endoftext|>',
    chat_template: CHAT_TEMPLATE,
  };
}

/** One printable character per byte, as GPT-2 chose them (openai/gpt-2, encoder.py, bytes_to_unicode). */
function byteAlphabet(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

function addedToken(id: number, content: string, special: boolean) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special };
}

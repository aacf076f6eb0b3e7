/** What kind of thing is wrong; callers map it to their own error documents. */
export type ModelErrorCode =
  | 'unsupported_model'
  | 'invalid_config'
  | 'invalid_safetensors'
  | 'missing_tensor'
  | 'unexpected_tensor'
  | 'tensor_shape'
  | 'invalid_adapter'
  | 'invalid_tokenizer'
  | 'vocabulary_mismatch'
  | 'invalid_input'
  | 'engine_unavailable';

/** A problem with a model, an adapter, a tokenizer or the engine. The message says what, where and the remedy. */
export class ModelError extends Error {
  readonly code: ModelErrorCode;

  constructor(code: ModelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ModelError';
    this.code = code;
  }
}

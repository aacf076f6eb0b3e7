/** An error as vLLM answers it: `{"error": {"message", "type", "param", "code"}}` with `code` the HTTP status. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.type = type;
    this.param = param;
  }
}

export function errorBody({ message, type, param, status }: ApiError): unknown {
  return { error: { message, type, param, code: status } };
}

/** A request whose shape is wrong: vLLM's type is the status phrase when the body does not parse. */
export function malformed(message: string, param: string | null = null): ApiError {
  return new ApiError(400, 'Bad Request', message, param);
}

/** A request that parses but asks for something impossible. */
export function badRequest(message: string, param: string | null = null): ApiError {
  return new ApiError(400, 'BadRequestError', message, param);
}

/** vLLM appends the parameter and the refused value to such messages. */
export function badParameter(message: string, param: string, value: unknown): ApiError {
  return badRequest(`${message} (parameter=${param}, value=${String(value)})`, param);
}

export function notFound(message: string, param: string | null = null): ApiError {
  return new ApiError(404, 'NotFoundError', message, param);
}

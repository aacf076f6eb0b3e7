/** The engine will not start this request. `too_large`: it never can; `unavailable`: not now. */
export class EngineRefusal extends Error {
  readonly kind: 'too_large' | 'unavailable';

  constructor(kind: 'too_large' | 'unavailable', message: string) {
    super(message);
    this.name = 'EngineRefusal';
    this.kind = kind;
  }
}

/** An error left the engine in an unknown state; the process has to be started again. */
export class EngineDeadError extends Error {
  constructor(cause: Error) {
    super('the engine stopped after an internal error: start the server again; its log has the cause', { cause });
    this.name = 'EngineDeadError';
  }
}

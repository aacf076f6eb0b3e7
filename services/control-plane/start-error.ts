/** The control plane cannot start as it is set up; the message is one line that names the cause, the place and the remedy. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

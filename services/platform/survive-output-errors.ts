type Output = Pick<NodeJS.WriteStream, 'on'>;

/**
 * Lets a program go on when nobody takes what it prints: the file it goes to is on a full disk, or its reader is gone. Without it the first such line
 * ends the process. To be called before anything is printed.
 */
export function surviveOutputErrors(outputs: readonly Output[] = [process.stdout, process.stderr]): void {
  for (const output of outputs) output.on('error', () => undefined);
}

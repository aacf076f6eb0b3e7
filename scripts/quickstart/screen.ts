import { styleText } from 'node:util';

const live = process.stdout.isTTY === true;

/** Prints what a person watches: steps, lines and one line that is redrawn while something goes on. */
export const screen = {
  step(title: string) {
    clear();
    console.log(`\n${live ? styleText('bold', title) : title}`);
  },
  line(text = '') {
    clear();
    console.log(text);
  },
  /** To stderr: what a script says on stdout may be for a program. */
  problem(text: string) {
    clear();
    console.error(text);
  },
  /** Redraws the live line on a terminal; elsewhere prints it only when `milestone` is set. */
  progress(text: string, milestone: boolean) {
    if (live) process.stdout.write(`\r\u001b[2K${text.slice(0, (process.stdout.columns ?? 120) - 1)}`);
    else if (milestone) console.log(text);
  },
};

function clear() {
  if (live) process.stdout.write('\r\u001b[2K');
}

/** `0:15:30`, as the training log writes a duration. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

import type { Preflight } from '../../contracts/preflight.ts';

const WIDTH = { verdict: 'missing'.length, name: 'nvidia-container-toolkit'.length };

/** One line per check, for a terminal, and one that sums up. */
export function renderPreflight({ checks, ready, runtime }: Preflight): string[] {
  const lines = checks.map(({ name, verdict, found, remedy }) =>
    [verdict.padEnd(WIDTH.verdict), name.padEnd(WIDTH.name), remedy === null ? found : `${found}: ${remedy}`].join(
      '  ',
    ),
  );
  const missing = checks.filter(({ verdict }) => verdict === 'missing').length;
  const end = ready
    ? `This host is ready (runtime ${runtime}).`
    : `Not ready: ${missing} missing (runtime ${runtime}).`;
  return [...lines, end];
}

import { sizeOf } from '../placement/gpu-sets.ts';
import type { HoldingRun, Labels, Quota } from './gpu-queue.ts';

/** What of the quotas is used. */
export interface QuotaLedger {
  /** The first quota that so many more GPUs would exceed, and what is held of it; null where none. `lasting`: also of what is kept. */
  exceeded(labels: Labels, gpus: number, lasting: boolean): { quota: Quota; held: number } | null;
  /** The first quota that is smaller than what one run needs, which therefore never starts. */
  impossible(labels: Labels, gpus: number): Quota | null;
  charge(labels: Labels, gpus: number): void;
  /** Keeps a share for a run that starts later: runs that last until then do not get it. */
  keep(labels: Labels, gpus: number): void;
  /** From now on nobody gets anything of the quotas of this run: who waits for a quota is not overtaken within it. */
  close(labels: Labels): void;
}

/** What one quota says of one value of its label. */
interface Account {
  held: number;
  kept: number;
  closed: boolean;
}

export function createQuotaLedger(quotas: readonly Quota[], holding: readonly HoldingRun[]): QuotaLedger {
  const named = new Set(quotas.flatMap(({ label, value }) => (value === null ? [] : [`${label}=${value}`])));
  const books = quotas.map((quota) => ({ quota, accounts: new Map<string, Account>() }));
  /** The value of its label that a quota counts a run by, or null. A value with a quota of its own is none of those that are counted alike. */
  const valueFor = ({ label, value }: Quota, labels: Labels): string | null => {
    const own = labels[label];
    if (own === undefined) return null;
    return (value === null ? !named.has(`${label}=${own}`) : value === own) ? own : null;
  };
  const change = (labels: Labels, alter: (account: Account) => void) => {
    for (const { quota, accounts } of books) {
      const value = valueFor(quota, labels);
      if (value === null) continue;
      const account = accounts.get(value) ?? { held: 0, kept: 0, closed: false };
      accounts.set(value, account);
      alter(account);
    }
  };
  const charge = (labels: Labels, gpus: number) => change(labels, (account) => (account.held += gpus));
  for (const run of holding) charge(run.labels, sizeOf(run.gpus));

  return {
    exceeded: (labels, gpus, lasting) => {
      for (const { quota, accounts } of books) {
        const value = valueFor(quota, labels);
        if (value === null) continue;
        const { held, kept, closed } = accounts.get(value) ?? UNUSED;
        if (closed || held + (lasting ? kept : 0) + gpus > quota.gpus) return { quota, held };
      }
      return null;
    },
    impossible: (labels, gpus) => quotas.find((quota) => gpus > quota.gpus && valueFor(quota, labels) !== null) ?? null,
    charge,
    keep: (labels, gpus) => change(labels, (account) => (account.kept += gpus)),
    close: (labels) => change(labels, (account) => (account.closed = true)),
  };
}

const UNUSED: Account = { held: 0, kept: 0, closed: false };

import { describe, expect, it } from 'vitest';
import { judgeHealth, type Symptoms } from './judge-health.ts';

const well: Symptoms = {
  index: 3,
  memory_total_mib: 81559,
  ecc: { enabled: true, corrected: 0, uncorrected: 0, uncorrected_ever: 9, sram_threshold_exceeded: false },
  row_remapping: { corrected: 0, uncorrected: 2, pending: false, failed: false },
  retired_pages_pending: null,
  recovery_action: null,
  resetRequired: false,
  fault: null,
  xids: [],
};
const xid = (code: number, times = 1) => ({ xids: [{ code, times, last: '' }] });
const RESET = 'nvidia-smi --gpu-reset -i 3';

describe('judgeHealth', () => {
  it('finds nothing wrong with a GPU whose errors are over', () => {
    expect(judgeHealth(well)).toEqual({ verdict: 'healthy', findings: [] });
    expect(judgeHealth({ ...well, recovery_action: 'None', ...xid(95) }).verdict).toBe('healthy');
    expect(judgeHealth({ ...well, ecc: null, row_remapping: null }).verdict).toBe('healthy');
  });

  it.each<[Partial<Symptoms>, string, RegExp, string]>([
    [{ fault: 'GPU is lost' }, 'unusable', /answers "GPU is lost"/, 'Reboot'],
    [{ fault: 'GPU requires reset' }, 'unusable', /requires reset/, RESET],
    [{ memory_total_mib: null }, 'unusable', /memory cannot be read/, 'nvidia-smi -q -i 3'],
    [{ resetRequired: true }, 'unusable', /a reset is required/, RESET],
    [{ recovery_action: 'Reset' }, 'unusable', /advises "Reset"/, RESET],
    [{ recovery_action: 'Reboot' }, 'unusable', /operating system/, 'Reboot'],
    [{ recovery_action: 'Drain P2P' }, 'unusable', /links to other GPUs/, 'linked to'],
    [{ recovery_action: 'Drain and Reset' }, 'degraded', /less than all/, RESET],
    [{ recovery_action: 'Dance' }, 'degraded', /advises "Dance"/, 'documentation'],
    [{ row_remapping: { corrected: 0, uncorrected: 1, pending: true, failed: false } }, 'degraded', /spare one/, RESET],
    [
      { row_remapping: { corrected: 0, uncorrected: 8, pending: false, failed: true } },
      'unusable',
      /used up/,
      'Replace',
    ],
    [{ retired_pages_pending: true }, 'degraded', /pages are retired/, RESET],
    [{ ecc: { ...well.ecc!, uncorrected: 1 } }, 'degraded', /^1 memory error could/, RESET],
    [{ ecc: { ...well.ecc!, sram_threshold_exceeded: true } }, 'degraded', /on-chip/, 'Replace'],
    [xid(79), 'unusable', /Xid 79 since boot: it has fallen off the bus/, 'Reboot'],
    [xid(95), 'unusable', /Xid 95/, RESET],
    [xid(94, 3), 'degraded', /Xid 94 since boot, 3 times/, RESET],
    [xid(74), 'degraded', /NVLink/, 'nvlink --status'],
  ])('says why and what helps: %j', (change, verdict, why, remedy) => {
    const health = judgeHealth({ ...well, ...change });
    expect(health.verdict).toBe(verdict);
    expect(health.findings).toEqual([
      { verdict, why: expect.stringMatching(why), remedy: expect.stringContaining(remedy) },
    ]);
  });

  it.each([13, 31, 43, 45, 63])('does not blame a GPU for Xid %i', (code) => {
    expect(judgeHealth({ ...well, ...xid(code) }).verdict).toBe('healthy');
  });

  it('names the worst first', () => {
    const health = judgeHealth({ ...well, retired_pages_pending: true, ...xid(48) });
    expect(health.verdict).toBe('unusable');
    expect(health.findings.map(({ verdict }) => verdict)).toEqual(['unusable', 'degraded']);
  });
});

import { describe, expect, it } from 'vitest';
import { containerOf, readCgroup } from './container-of.ts';

const id = '3f1c'.repeat(16);

describe('the container of a process', () => {
  it.each([
    `0::/system.slice/docker-${id}.scope\n`,
    `12:devices:/docker/${id}\n11:cpu,cpuacct:/docker/${id}\n`,
    `0::/kubepods.slice/kubepods-pod1d2e.slice/cri-containerd-${id}.scope\n`,
    `0::/machine.slice/libpod-${id}.scope/container\n`,
    `0::/../docker-${id}.scope\n`,
    `0::/docker/${'0'.repeat(64)}/docker/${id}\n`,
  ])('is in the path of its control group: %s', (text) => {
    expect(readCgroup(text)).toBe(id);
  });

  it.each([
    '',
    '0::/user.slice/user-1000.slice/session-2.scope\n',
    `0::/x${id}\n`,
    `0::/${id}0\n`,
  ])('is none for a process in none: %j', (text) => {
    expect(readCgroup(text)).toBeNull();
  });

  it('is not known of a process that has ended', async () => {
    expect(await containerOf(1, '/nonexistent')).toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { freeSubnet, parseSubnet, type Subnet, showSubnet } from './subnets.ts';

const subnet = (text: string): Subnet => {
  const parsed = parseSubnet(text);
  if (parsed === null) throw new Error(text);
  return parsed;
};
const next = (pool: string, ...taken: string[]) => {
  const found = freeSubnet(subnet(pool), taken.map(subnet));
  return found && showSubnet(found);
};

describe('the subnets of pairs', () => {
  it('are taken from the start of the pool, one after another', () => {
    expect(next('10.213.0.0/16')).toBe('10.213.0.0/28');
    expect(next('10.213.0.0/16', '10.213.0.0/28', '10.213.0.16/28')).toBe('10.213.0.32/28');
  });

  it('fill the gaps of those that are gone', () => {
    expect(next('10.213.0.0/16', '10.213.0.0/28', '10.213.0.32/28')).toBe('10.213.0.16/28');
  });

  it('leave out what a larger or a smaller network takes', () => {
    expect(next('10.0.0.0/8', '10.0.0.0/9')).toBe('10.128.0.0/28');
    expect(next('10.213.0.0/16', '10.213.0.4/30')).toBe('10.213.0.16/28');
  });

  it('run out', () => {
    expect(next('10.213.0.0/27', '10.213.0.0/28', '10.213.0.16/28')).toBeNull();
    expect(next('10.213.0.0/28', '0.0.0.0/0')).toBeNull();
  });

  it('reach to the last address there is', () => {
    expect(next('255.255.255.224/27', '255.255.255.224/28')).toBe('255.255.255.240/28');
  });

  it.each([
    '10.213.0.0',
    '10.213.0.1/28',
    '10.213.0.0/33',
    '256.0.0.0/8',
    'fd00::/8',
    '',
  ])('do not come from %j', (text) => {
    expect(parseSubnet(text)).toBeNull();
  });
});

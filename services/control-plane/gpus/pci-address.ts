/**
 * A PCI address as the kernel writes it, without the function: `00000000:1B:00.0` and `0000:1b:00.0` are `0000:1b:00`. The driver, `nvidia-smi` and the
 * kernel log each have their own way. Null for what is none.
 */
export function pciAddress(text: string): string | null {
  const match = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-9a-f])?$/i.exec(text.trim());
  if (match === null) return null;
  const [, domain = '', bus = '', device = ''] = match;
  return `${domain.replace(/^0+(?=.{4})/, '')}:${bus}:${device}`.toLowerCase();
}

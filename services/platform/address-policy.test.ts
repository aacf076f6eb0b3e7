import { describe, expect, it } from 'vitest';
import { refuseUrl } from './address-policy.ts';

describe('the address of a server that a user names', () => {
  it.each([
    'http://localhost:8000/v1',
    'http://127.0.0.1:8000/v1',
    'http://10.1.2.3:8000/v1',
    'https://vllm.example.org/v1',
    'http://[::1]:8000/v1',
    'http://[fd12::3]:8000/v1',
    'http://[64:ff9b::5db8:d822]/v1',
    'http://[64:ff9b::ac20:1]/v1',
    'http://[2002:5db8:d822::1]/v1',
  ])('may be %s', (url) => {
    expect(refuseUrl(url)).toBeNull();
  });

  it.each([
    ['http://169.254.169.254/v1', 'link-local'],
    ['http://2852039166/v1', 'link-local'],
    ['http://0xa9.0xfe.0xa9.0xfe/v1', 'link-local'],
    ['http://[::ffff:169.254.169.254]/v1', 'link-local'],
    ['http://[fe80::1]/v1', 'link-local'],
    ['http://[fd00:ec2::254]/v1', 'link-local'],
    ['http://0.0.0.0:8000/v1', 'no machine'],
    ['http://[::]:8000/v1', 'no machine'],
    ['http://239.1.2.3/v1', 'no machine'],
    ['http://[64:ff9b::127.0.0.1]/v1', 'no public server'],
    ['http://[64:ff9b::a9fe:a9fe]/v1', 'no public server'],
    ['http://[64:ff9b::ac1f:1]/v1', 'no public server'],
    ['http://[64:ff9b::]/v1', 'no public server'],
    ['http://[64:ff9b::ffff:ffff]/v1', 'no public server'],
    ['http://[2002:a9fe:a9fe::1]/v1', 'no public server'],
    ['http://[2002:c0a8:101::1]/v1', 'no public server'],
    ['file:///etc/passwd', 'http or https'],
    ['localhost:8000', 'http or https'],
    ['http://user:secret@host/v1', 'user or a password'],
    ['http://host/v1?key=1', 'query'],
  ])('may not be %s: %s', (url, why) => {
    expect(refuseUrl(url)).toContain(why);
  });
});

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dockerVariables } from '../../services/control-plane/runtimes/docker/docker-settings.ts';
import { engineVariables } from '../../services/control-plane/runtimes/handed-on.ts';
import { settingsVariables } from '../../services/control-plane/settings.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  image: string;
  environment?: Record<string, unknown>;
  volumes?: string[];
  ports?: string[];
  cap_drop?: string[];
  security_opt?: string[];
}
const services = (file: string) => (parse(read(`compose/${file}`)) as { services: Record<string, Service> }).services;
const files = ['compose.yaml', 'compose.gpu.yaml', 'compose.monitoring.yaml', 'compose.areal.yaml'] as const;
const all = files.flatMap((file) => Object.entries(services(file)));

/** What compose decides for the control plane, whatever stands in .env: where it listens and writes in its container, its daemon, its store and its agents. */
const decidedByCompose = [
  ...['TANDEM_ADDR', 'TANDEM_API_KEY_FILE', 'TANDEM_HOME', 'TANDEM_OUTPUTS', 'TANDEM_DATA_ROOTS'],
  // The image has its own.
  'TANDEM_TENSORFLOW_HOME',
  ...['TANDEM_RUNTIME', 'DOCKER_HOST', 'TANDEM_AGENT_ADDR', 'TANDEM_AGENT_URL', 'TANDEM_AGENT_NETWORK'],
  ...['TANDEM_S3_ENDPOINT', 'TANDEM_S3_REGION', 'TANDEM_S3_CREATE_BUCKET'],
  ...['TANDEM_S3_SECRET_KEY', 'TANDEM_S3_SECRET_KEY_FILE'],
];

describe('the compose files', () => {
  it('give the Docker socket to the control plane only', () => {
    const holders = all.filter(([, { volumes = [] }]) => volumes.some((volume) => /docker\.sock/.test(volume)));
    expect(holders.map(([name]) => name)).toEqual(['control-plane']);
  });

  it('publish on loopback unless the user says otherwise', () => {
    const published = all.flatMap(([, { ports = [] }]) => ports);
    expect(published.length).toBeGreaterThan(4);
    for (const port of published) expect(port).toMatch(/^(127\.0\.0\.1|\$\{TANDEM_PUBLISH:-127\.0\.0\.1\}):/);
  });

  it('hold no secret: each comes from the user, or is made at the first start', () => {
    for (const [, { environment = {} }] of all) {
      for (const [name, value] of Object.entries(environment)) {
        if (/(KEY|TOKEN|PASSWORD)$/.test(name) && name !== 'TANDEM_S3_ACCESS_KEY')
          expect(`${name}=${String(value)}`).toMatch(/=\$\{\w+(:-|:\?.*)\}$/);
      }
    }
  });

  it('drop all capabilities of what they start beside runs', () => {
    for (const file of ['compose.yaml', 'compose.monitoring.yaml'] as const) {
      for (const service of Object.values(services(file)).filter(({ image }) => image !== undefined)) {
        expect(service).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
      }
    }
  });

  it('name the image by the version of the package, as does .env.example', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(services('compose.yaml')['control-plane']?.image).toBe(`\${TANDEM_IMAGE:-tandem:${version}}`);
    expect(read('.env.example')).toContain(`#TANDEM_IMAGE=tandem:${version}\n`);
  });

  it('give the control plane each variable of .env.example that it or its runs read, or decide it themselves', () => {
    const [, ofControlPlane = ''] = read('.env.example').split('# --- The control plane -');
    const named = [...ofControlPlane.matchAll(/^#?(\w+)=/gm)].map(([, name]) => name!);
    const wanted = new Set([...named, ...settingsVariables, ...dockerVariables, ...engineVariables]);
    expect(wanted.size).toBeGreaterThan(40);
    const service = JSON.stringify(services('compose.yaml')['control-plane']);
    const passed = [...wanted].filter((name) => service.includes(`\${${name}:-`));
    expect([...wanted].filter((name) => !passed.includes(name)).sort()).toEqual([...decidedByCompose].sort());
  });

  it('are set up by an .env.example that explains each variable once, and all that the control plane reads', () => {
    const text = read('.env.example');
    const named = [...text.matchAll(/^#?([A-Z]\w+)=/gm)].map(([, name]) => name);
    expect(named.filter((name, at) => named.indexOf(name) !== at)).toEqual([]);
    const unnamed = [...settingsVariables, ...dockerVariables, ...engineVariables].filter(
      (name) => !new RegExp(`^#?${name}=`, 'm').test(text),
    );
    expect(unnamed).toEqual([]);
  });

  it('explain in .env.example each variable that they read', () => {
    const known = [...read('.env.example').matchAll(/^#?(\w+)=/gm)].map(([, name]) => name);
    const used = files.flatMap((file) => [...read(`compose/${file}`).matchAll(/\$\{(\w+)/g)].map(([, name]) => name!));
    expect([...new Set(used)].filter((name) => name !== 'PWD' && !known.includes(name))).toEqual([]);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { someMetrics } from '../../services/control-plane/metrics/metrics.fixtures.ts';

const monitoring = resolve(import.meta.dirname, '../../compose/monitoring');
const dashboards = join(monitoring, 'grafana/dashboards');

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
}
const rules = (parse(readFileSync(join(monitoring, 'rules/tandem.rules.yaml'), 'utf8')) as Rules).groups.flatMap(
  (group) => group.rules,
);

/** Every PromQL expression: of all panels and variables of the dashboards, and of the rules. */
const expressions = [
  ...readdirSync(dashboards)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => [
      ...readFileSync(join(dashboards, name), 'utf8').matchAll(/"(?:expr|query)": ("(?:[^"\\]|\\.)*")/g),
    ])
    .map(([, text]) => JSON.parse(text!) as string),
  ...rules.map(({ expr }) => expr),
];

/** Names and labels of the text format; a histogram's three names among them. */
async function exposed(): Promise<Map<string, Set<string>>> {
  const metrics = someMetrics();
  await metrics.text();
  const names = new Map<string, Set<string>>();
  for (const line of (await metrics.text()).split('\n')) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const known = names.get(name) ?? new Set(['job']);
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!);
    names.set(name, known);
  }
  return names;
}

describe('dashboards and alert rules', () => {
  it('ask for metrics and labels that the control plane gives', async () => {
    const known = await exposed();
    const asked = expressions.flatMap((text) => [
      ...text.matchAll(/\b((?:tandem|nodejs|process)_\w+)(?:\{([^}]*)\})?/g),
    ]);
    expect(asked.length).toBeGreaterThan(40);
    const missing = asked.flatMap(([, name, labels = '']) => {
      const of = known.get(name!);
      if (of === undefined) return [name];
      return [...labels.matchAll(/(\w+)\s*[=!]/g)].map(([, label]) => label!).filter((label) => !of.has(label));
    });
    expect(missing).toEqual([]);
  });

  it('show every metric of Tandem somewhere', async () => {
    const all = expressions.join('\n');
    const names = [...(await exposed()).keys()].filter((name) => name.startsWith('tandem_'));
    const shown = names.map((name) => name.replace(/_(bucket|sum|count)$/, '')).filter((name) => !all.includes(name));
    expect([...new Set(shown)]).toEqual([]);
  });

  it('say of each alert what it means and where to look', () => {
    expect(rules.length).toBeGreaterThan(6);
    for (const { annotations } of rules) {
      expect(annotations['summary']).toMatch(/\.$/);
      expect(annotations['description']).toMatch(/\.$/);
    }
    const tested = readFileSync(join(monitoring, 'rules/tandem.test.yaml'), 'utf8');
    expect(rules.filter(({ alert }) => !tested.includes(alert))).toEqual([]);
  });
});

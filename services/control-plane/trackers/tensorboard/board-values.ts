import type { TrainerRecord } from '../../../contracts/record.ts';
import type { EventValue } from './event-proto.ts';

/** The last step at which each tag has a value. */
export type ShownSteps = Map<string, number>;

/**
 * What TensorBoard shows of a record, and at which step: the values of a metrics record that their tags do not have already (an evaluation is
 * repeated where a run was killed before the checkpoint behind it), an event of the trainer as a text. An event that names no step is put at `lastStep`. null: nothing.
 */
export function boardValues(
  record: TrainerRecord,
  { shown, lastStep }: { shown: ShownSteps; lastStep: number },
): { step: number; values: EventValue[] } | null {
  if (record.kind === 'event') {
    const named = record.data?.['step'];
    const step = typeof named === 'number' && Number.isSafeInteger(named) ? named : lastStep;
    return { step, values: [{ tag: `events/${record.name}`, text: plainMarkdown(record.message) }] };
  }
  if (record.kind !== 'metrics') return null;
  const { step } = record;
  const values = Object.entries(record.values)
    .filter(([tag]) => step > (shown.get(tag) ?? -1))
    // NaN and the infinities travel as words.
    .map(([tag, value]) => ({ tag, scalar: Number(value) }));
  return values.length === 0 ? null : { step, values };
}

/** A run's configuration as a table; TensorBoard sanitizes what Markdown becomes. */
export function configText(config: ReadonlyMap<string, unknown>): EventValue {
  const rows = [...config].map(([name, value]) => `| ${cell(name)} | ${cell(String(value))} |`);
  return { tag: 'config', text: ['| key | value |', '|---|---|', ...rows].join('\n') };
}

function cell(text: string): string {
  return `\`${text.replace(/[`\r\n]+/g, ' ').replaceAll('|', '\\|')}\``;
}

/** Text that means itself: nothing in it is a link, a picture or HTML. */
function plainMarkdown(text: string): string {
  return text.replace(/[\\`*_{}[\]<>()#!|~]/g, '\\$&');
}

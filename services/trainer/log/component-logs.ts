import type { LogLevels } from '../../contracts/agent-operations.ts';
import { type Component, limits, type RecordBody } from '../../contracts/record.ts';
import { type LogLevel, logLevels } from '../../contracts/run-spec/logging.ts';

type Fields = Readonly<Record<string, unknown>>;
type Write = (message: string, fields?: Fields) => void;

/** One part of the trainer that speaks. A line below the part's level is not recorded. */
export interface ComponentLog {
  readonly debug: Write;
  readonly info: Write;
  readonly warning: Write;
  readonly error: Write;
  enabled(level: LogLevel): boolean;
}

export type ComponentLogs = Readonly<Record<Component, ComponentLog>>;

/** For the note that something is left out. */
const NOTE_ROOM = 100;

/** @param levels read at each line, so that a change applies at once. */
export function createComponentLogs(params: {
  readonly write: (record: RecordBody) => void;
  readonly levels: () => LogLevels;
}): ComponentLogs {
  const { write, levels } = params;

  function component(name: Component): ComponentLog {
    const enabled = (level: LogLevel) => logLevels.indexOf(level) >= logLevels.indexOf(levels()[name]);
    const at =
      (level: LogLevel): Write =>
      (message, fields) => {
        if (!enabled(level)) return;
        write({
          kind: 'log',
          component: name,
          level,
          message: cutMessage(message),
          ...(fields && { fields }),
        });
      };
    return { debug: at('DEBUG'), info: at('INFO'), warning: at('WARNING'), error: at('ERROR'), enabled };
  }

  return {
    training: component('training'),
    rollout: component('rollout'),
    eval: component('eval'),
    performance: component('performance'),
  };
}

/** A message that a record can hold: of a longer one the beginning, and how much is left out. */
function cutMessage(message: string): string {
  if (message.length <= limits.message) return message;
  const kept = message.slice(0, limits.message - NOTE_ROOM);
  return `${kept} ... ${message.length - kept.length} characters are left out`;
}

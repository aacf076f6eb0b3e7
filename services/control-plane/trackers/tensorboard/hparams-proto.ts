import protobuf from 'protobufjs/minimal.js';
import type { ConfigValue } from '../flatten-config.ts';
import type { EventValue } from './event-proto.ts';

/* tensorboard/plugins/hparams/plugin_data.proto and google/protobuf/struct.proto, by their field numbers. */

const field = (number: number, wireType: 0 | 1 | 2) => (number << 3) | wireType;
const STATUS_SUCCESS = 1;

/** What a session (here: a run) was started with. TensorBoard finds the metrics by itself among the scalars beside it. */
export function sessionStart(options: {
  hparams: ReadonlyMap<string, ConfigValue>;
  /** Sessions of one group are repetitions of one experiment. */
  group: string;
  /** Seconds since 1970. */
  startTime: number;
}): EventValue {
  const start = protobuf.Writer.create();
  for (const [name, value] of options.hparams) {
    start.uint32(field(1, 2)).fork().uint32(field(1, 2)).string(name);
    start.uint32(field(2, 2)).fork();
    if (typeof value === 'number') start.uint32(field(2, 1)).double(value);
    else if (typeof value === 'string') start.uint32(field(3, 2)).string(value);
    else start.uint32(field(4, 0)).bool(value);
    start.ldelim().ldelim();
  }
  start.uint32(field(4, 2)).string(options.group).uint32(field(5, 1)).double(options.startTime);
  return { tag: '_hparams_/session_start_info', hparams: pluginData(3, start.finish()) };
}

/** A session that succeeded, at `endTime` in seconds since 1970. */
export function sessionEnd(endTime: number): EventValue {
  const end = protobuf.Writer.create().uint32(field(1, 0)).int32(STATUS_SUCCESS).uint32(field(2, 1)).double(endTime);
  return { tag: '_hparams_/session_end_info', hparams: pluginData(4, end.finish()) };
}

/** HParamsPluginData: version 0, and one of its messages. */
function pluginData(number: number, message: Uint8Array): Uint8Array {
  return protobuf.Writer.create().uint32(field(number, 2)).bytes(message).finish();
}

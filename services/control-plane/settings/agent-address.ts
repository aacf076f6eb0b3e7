import { SettingsError } from '../../platform/settings.ts';
import type { DockerSettings } from '../runtimes/docker/docker-settings.ts';
import { isLoopback } from './values.ts';

/** The agent API listens on this machine only where roles are its processes; containers reach it at an address of their network. */
export function parseAgentAddress(
  text: string | undefined,
  docker: DockerSettings | null,
): { host: string | null; port: number } {
  if (text === undefined) return { host: docker === null ? '127.0.0.1' : null, port: 0 };
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new SettingsError(
      `TANDEM_AGENT_ADDR: ${text} is not an address with a port, such as 127.0.0.1:0 (0: a free port, chosen once)`,
    );
  }
  if (docker === null && !isLoopback(host)) {
    throw new SettingsError(
      `TANDEM_AGENT_ADDR: ${text} is not a loopback address, and trainers are processes of this machine; give 127.0.0.1:0, or set TANDEM_RUNTIME=docker`,
    );
  }
  if (docker !== null && docker.agentUrl === null && (isLoopback(host) || host === '0.0.0.0' || host === '::')) {
    throw new SettingsError(
      `TANDEM_AGENT_ADDR: ${text} is no address that containers can call; set TANDEM_AGENT_URL to one under which they reach it, or leave both out for the gateway of their network`,
    );
  }
  return { host, port };
}

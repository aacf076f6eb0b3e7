import { RoleRefusedError, type RoleSpec, type Starting } from '../runtime.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import { DockerError } from './engine/docker-error.ts';
import { remainingSeconds } from './engine/pull-progress.ts';
import { gib } from './input-archive.ts';

const TELL_MS = 2000;

/** Gets an image unless it is on the host, and tells how far it is. @throws RoleRefusedError when it is not to be had */
export async function ensureImage(
  reference: NonNullable<RoleSpec['image']>,
  starting: Starting,
  { engine, now }: { engine: DockerEngine; now: () => number },
): Promise<void> {
  const { signal, tell } = starting;
  if ((await engine.inspectImage(reference, { signal })) !== null) return;
  tell(`pulls the image ${reference}.`);
  const startedAt = now();
  let toldAt = startedAt;
  try {
    await engine.pullImage({
      reference,
      signal,
      onProgress: (progress) => {
        if (now() - toldAt < TELL_MS) return;
        toldAt = now();
        const { downloadedBytes, totalBytes, totalIsFinal } = progress;
        const seconds = remainingSeconds(progress, now() - startedAt);
        const left = seconds === null ? '' : `, about ${Math.ceil(seconds)} s left`;
        const total = `${totalIsFinal ? '' : 'at least '}${gib(totalBytes)}`;
        tell(`pulls the image ${reference}: ${gib(downloadedBytes)} of ${total}${left}.`);
      },
    });
  } catch (error) {
    const isHopeless =
      error instanceof DockerError && ['not_found', 'refused', 'failed', 'invalid'].includes(error.kind);
    if (!isHopeless) throw error;
    throw new RoleRefusedError('image_unavailable', `${error.message}.`, { cause: error });
  }
}

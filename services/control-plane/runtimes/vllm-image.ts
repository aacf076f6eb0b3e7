/**
 * vLLM 0.30.0 for CUDA 13 (drivers from 580). Pinned, because vLLM's LoRA and sleep endpoints change between releases: what this code expects of
 * it is what `test/contract/vllm-api.contract.ts` asks.
 */
export const VLLM_IMAGE =
  'vllm/vllm-openai:v0.30.0@sha256:8a69ffad015f138d7170c4ddc429e230a3bc1c1719f67e14324749df200a4b90';

/** What to say at the start about an image that may be another one tomorrow, and how to pin it; null for a pinned one. */
export function warnUnpinned(variable: string, image: string): string | null {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return null;
  const how = `docker pull ${image} && docker image inspect --format '{{index .RepoDigests 0}}' ${image}`;
  return `${variable}: ${image} is not pinned by a digest, so a later pull may give another program; set it to what this prints: ${how}`;
}

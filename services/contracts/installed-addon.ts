/** The addon by which the trainer computes on TensorFlow, where `scripts/install-tensorflow.sh` puts it. @param home the user's, or null */
export function installedAddon(
  environment: Readonly<Record<string, string | undefined>>,
  home: string | null,
  variant: 'cpu' | 'cuda',
): string | null {
  const root = environment['TANDEM_TENSORFLOW_HOME'] || (home === null ? null : `${home}/.cache/tandem/tensorflow`);
  return root === null ? null : `${root}/${variant}/tfjs_binding.node`;
}

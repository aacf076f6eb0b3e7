/** What programs of runs compute with, in every runtime: each is handed on where the control plane has it. */
export const engineVariables: readonly string[] = ['TANDEM_TF', 'TANDEM_TF_AHEAD', 'TANDEM_THREADS'];

/** Of an environment, the variables of these names that say something: compose sets those that nobody gave to nothing. */
export function handedOn(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}

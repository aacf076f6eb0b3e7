/** One element of parsed XML: text, or its children by name. */
export type Element = string | { readonly [name: string]: Element | readonly Element[] | undefined };

/** The text at a path of child elements; undefined where there is none. */
export function textAt(element: Element | undefined, ...path: string[]): string | undefined {
  const found = childAt(element, ...path);
  return typeof found === 'string' ? found.trim() : undefined;
}

/** The element at a path of child elements; of several with one name the first. */
export function childAt(element: Element | undefined, ...path: string[]): Element | undefined {
  let at = element;
  for (const name of path) {
    if (typeof at !== 'object') return undefined;
    const next: Element | readonly Element[] | undefined = Object.hasOwn(at, name) ? at[name] : undefined;
    at = isList(next) ? next[0] : next;
  }
  return at;
}

/** All child elements of one name. */
export function childrenOf(element: Element | undefined, name: string): readonly Element[] {
  if (typeof element !== 'object' || !Object.hasOwn(element, name)) return [];
  const found = element[name];
  if (found === undefined) return [];
  return isList(found) ? found : [found];
}

/** Every text below an element. */
export function* textsOf(element: Element): Generator<string> {
  const open: Element[] = [element];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (typeof at === 'string') yield at;
    else
      for (const child of Object.values(at)) if (child !== undefined) open.push(...(isList(child) ? child : [child]));
  }
}

/** `81559 MiB`, in MiB; null for `N/A` and for what the driver puts there when it cannot tell. */
export function mebibytes(text: string | undefined): number | null {
  const match = /^(\d{1,12}) MiB$/.exec(text ?? '');
  return match === null ? null : Number(match[1]);
}

/** A whole number; null for `N/A` and the like. */
export function wholeNumber(text: string | undefined): number | null {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : null;
}

/** Yes, No, Enabled, Disabled; null for `N/A` and the like. */
export function yesOrNo(text: string | undefined): boolean | null {
  if (text === 'Yes' || text === 'Enabled') return true;
  return text === 'No' || text === 'Disabled' ? false : null;
}

/** The sum of those that are known; null when none is. */
export function sumOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
}

function isList(found: Element | readonly Element[] | undefined): found is readonly Element[] {
  return Array.isArray(found);
}

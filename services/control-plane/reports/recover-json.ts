/**
 * The part of a JSON text that was cut off (by a full disk, a kill, a copy under way) which is whole: everything up to the last complete member of
 * the document or of what lies directly in it, closed. So an unfinished row of a history is left out, the rows before it are there. Null when not even
 * the document's opening brace is there. Zeros at the end, which a machine that lost power leaves, are no text.
 */
export function recoverJson(text: string): string | null {
  const open: string[] = [];
  let whole: { end: number; open: string } | null = null;
  const note = (end: number) => {
    if (open.length > 0 && open.length <= KEPT_DEPTH) whole = { end, open: open.toReversed().join('') };
  };
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        at = endOfString(text, at);
        break;
      case '{':
      case '[':
        open.push(text[at] === '{' ? '}' : ']');
        note(at + 1);
        break;
      case '}':
      case ']':
        open.pop();
        note(at + 1);
        break;
      case ',':
        note(at);
    }
  }
  const found = whole as { end: number; open: string } | null;
  return found === null ? null : text.slice(0, found.end) + found.open;
}

/** The document, and the histories in it. */
const KEPT_DEPTH = 2;

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

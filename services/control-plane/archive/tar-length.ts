const BLOCK = 512;
/** Two blocks of zeros end a tar. */
const END = 2 * BLOCK;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;

/**
 * How many bytes a tar of these files has as `writeTar` writes it, so that the length can be said before the first byte is read. `size` in bytes;
 * names are ASCII. A file is a header block and its content in whole blocks; a name that has no room in the header (POSIX ustar) is carried by a pax
 * record before it. Sizes of 8 GiB and more are base-256 numbers in the header and take no room of their own.
 */
export function tarLength(files: Iterable<{ name: string; size: number }>): number {
  let length = END;
  for (const { name, size } of files) {
    length += BLOCK + inBlocks(size);
    if (!fitsHeader(name)) length += BLOCK + inBlocks(paxPathLength(name));
  }
  return length;
}

function inBlocks(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** The front of the name, up to a slash, may move to the prefix field. */
function fitsHeader(name: string): boolean {
  let cut = 0;
  while (name.length - cut > NAME_BYTES) {
    const slash = name.indexOf('/', cut);
    if (slash === -1) return false;
    cut = slash + 1;
  }
  return cut === 0 || cut - 1 <= PREFIX_BYTES;
}

/** `<length> path=<name>\n`, where the length counts its own digits. */
function paxPathLength(name: string): number {
  const rest = ` path=${name}\n`.length;
  const digits = String(rest).length;
  return String(rest + digits).length === digits ? rest + digits : rest + digits + 1;
}

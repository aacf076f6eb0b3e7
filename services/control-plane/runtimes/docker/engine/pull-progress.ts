/** How far the layers of an image are. Bytes are those that are sent: layers are compressed. */
export interface PullProgress {
  /** Layers that have to be fetched, as far as they are known; those that are here already are not counted. */
  layers: number;
  layersDone: number;
  downloadedBytes: number;
  extractedBytes: number;
  /** The sum of the sizes that are known. */
  totalBytes: number;
  /** Whether no layer's size is missing in it: until then the total still grows. */
  totalIsFinal: boolean;
}

/** What the daemon says of one layer, or of the whole when it has no id. */
export interface PullMessage {
  id?: unknown;
  status?: unknown;
  progressDetail?: { current?: unknown; total?: unknown; units?: unknown } | null;
}

interface Layer {
  downloaded: number;
  extracted: number;
  total: number | null;
  done: boolean;
}

/** Images have at most 127 layers. */
const MAX_LAYERS = 1024;

/** Adds up what the daemon says while it pulls. Memory is bounded by the number of layers. */
export function createPullTracker(): { note(message: PullMessage): void; progress(): PullProgress } {
  const layers = new Map<string, Layer>();
  return {
    note: ({ id, status, progressDetail }) => {
      if (typeof id !== 'string' || typeof status !== 'string') return;
      if (status === 'Pulling fs layer' && layers.size < MAX_LAYERS) {
        layers.set(id, { downloaded: 0, extracted: 0, total: null, done: false });
      }
      const layer = layers.get(id);
      if (layer === undefined) return;
      const { current, total, units } = progressDetail ?? {};
      // containerd counts seconds while it extracts.
      const bytes = typeof current === 'number' && units === undefined ? current : null;
      if (typeof total === 'number' && total > 0 && units === undefined) layer.total = total;
      if (status === 'Downloading' && bytes !== null) layer.downloaded = Math.max(layer.downloaded, bytes);
      if (status === 'Extracting' && bytes !== null) layer.extracted = Math.max(layer.extracted, bytes);
      if (downloaded.has(status)) layer.downloaded = layer.total ?? layer.downloaded;
      if (status === 'Pull complete' || status === 'Already exists') {
        layer.done = true;
        // A small layer is there before its size was said.
        layer.total ??= layer.downloaded;
        layer.downloaded = layer.total;
        layer.extracted = layer.total;
      }
    },

    progress: () => {
      const all = [...layers.values()];
      const sum = (of: (layer: Layer) => number) => all.reduce((total, layer) => total + of(layer), 0);
      return {
        layers: all.length,
        layersDone: all.filter((layer) => layer.done).length,
        downloadedBytes: sum((layer) => layer.downloaded),
        extractedBytes: sum((layer) => layer.extracted),
        totalBytes: sum((layer) => layer.total ?? 0),
        totalIsFinal: all.length > 0 && all.every((layer) => layer.total !== null),
      };
    },
  };
}

const downloaded: ReadonlySet<string> = new Set([
  'Verifying Checksum',
  'Download complete',
  'Extracting',
  'Pull complete',
]);

/**
 * Seconds that a pull still takes at the speed it had so far, downloading and extracting counted alike; null while nobody can know.
 * `elapsedMs` is since its first byte.
 */
export function remainingSeconds(progress: PullProgress, elapsedMs: number): number | null {
  const done = progress.downloadedBytes + progress.extractedBytes;
  const all = 2 * progress.totalBytes;
  if (!progress.totalIsFinal || done <= 0 || elapsedMs < 1000) return null;
  return (Math.max(0, all - done) * elapsedMs) / done / 1000;
}

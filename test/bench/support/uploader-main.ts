import { basename, dirname } from 'node:path';
import { openBenchStore, type S3Access, uploadAll } from './bench-store.ts';

/** Usage: `uploader-main.js <JSON {access, file, prefix, uploadId?}>`; prints the upload's id, then its own peak memory. */
const given = JSON.parse(process.argv[2]!) as { access: S3Access; file: string; prefix: string; uploadId?: string };
const name = basename(given.file);
const uploads = new Map(given.uploadId === undefined ? [] : [[name, given.uploadId]]);
const where = { directory: dirname(given.file), names: [name], prefix: given.prefix };
const tell = () => console.log(JSON.stringify({ uploadId: uploads.get(name) }));
await uploadAll(openBenchStore(given.access), where, uploads, tell);
console.log(JSON.stringify({ peakMib: process.resourceUsage().maxRSS / 1024 }));

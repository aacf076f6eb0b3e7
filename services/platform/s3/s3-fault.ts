import { type StorageFault, StorageFaultError } from '../storage-error.ts';
import { codeOf, S3Failure } from './s3-failure.ts';

/** Where a store is, as messages name it; never holds a key. */
export interface S3Place {
  endpoint: string;
  bucket: string;
  region: string;
}

type Words = (place: S3Place, code: string) => [StorageFault['kind'], string];

const keys: Words = (_, code) => [
  'refused',
  `does not accept the keys (${code}); check TANDEM_S3_ACCESS_KEY and TANDEM_S3_SECRET_KEY`,
];
const region: Words = ({ region }, code) => [
  'refused',
  `is not in the region ${region} (${code}); set TANDEM_S3_REGION, and the endpoint of that region`,
];
const full: Words = () => ['full', 'has no space left; free space in it, or add to it'];
const quota: Words = (_, code) => ['full', `has used up its quota (${code}); free space in it, or raise the quota`];
const token: Words = (_, code) => [
  'refused',
  `does not accept temporary keys that have run out (${code}); give lasting ones`,
];

const words: Readonly<Record<string, Words>> = {
  InvalidAccessKeyId: keys,
  SignatureDoesNotMatch: keys,
  XAdminUserNotFound: keys,
  ExpiredToken: token,
  InvalidToken: token,
  AccessDenied: ({ bucket }) => [
    'refused',
    `denies access; allow the keys to list, read, write and delete in the bucket ${bucket}`,
  ],
  AllAccessDisabled: () => ['refused', 'has disabled the account of the keys; ask who runs it'],
  RequestTimeTooSkewed: () => [
    'refused',
    'has a clock that differs by more than 15 minutes from the clock here; set both by NTP',
  ],
  AuthorizationHeaderMalformed: region,
  PermanentRedirect: region,
  IllegalLocationConstraintException: region,
  NoSuchBucket: ({ bucket }) => [
    'refused',
    `has no bucket ${bucket}; create it, name another by TANDEM_S3_BUCKET, or set TANDEM_S3_CREATE_BUCKET=1`,
  ],
  XMinioStorageFull: full,
  InsufficientStorage: full,
  QuotaExceeded: quota,
  XMinioAdminBucketQuotaExceeded: quota,
  SlowDown: (_, code) => ['unreachable', `is too busy or not ready (${code}); look at its load and its log`],
  ECONNREFUSED: () => ['unreachable', 'refuses connections; start it, or correct TANDEM_S3_ENDPOINT'],
  ENOTFOUND: () => ['unreachable', 'has a name that is not known here; correct TANDEM_S3_ENDPOINT'],
  EAI_AGAIN: () => ['unreachable', 'has a name that cannot be looked up now; check the name server'],
  ETIMEDOUT: () => ['unreachable', 'does not answer in time; look at its load and the network between'],
};

/** What a failed call means for the store, with the remedy; null where the error is not the store's or the network's. */
export function s3Fault(error: unknown, place: S3Place): StorageFault | null {
  const code = codeOf(error);
  if (code === undefined) return null;
  const [kind, what] = (Object.hasOwn(words, code) ? words[code] : undefined)?.(place, code) ?? unknown(error, code);
  return { kind, message: `the object store at ${place.endpoint} ${what}` };
}

/** The error of a call that has failed for good: a StorageFaultError with what the store said as its cause. */
export function explained(error: unknown, place: S3Place): unknown {
  const fault = error instanceof StorageFaultError ? null : s3Fault(error, place);
  return fault === null ? error : new StorageFaultError(fault, { cause: error });
}

function unknown(error: unknown, code: string): [StorageFault['kind'], string] {
  if (error instanceof S3Failure) {
    const kind = error.status >= 500 ? 'unreachable' : 'refused';
    return [kind, `answers ${error.message.replace(/[.\s]+$/, '')}; look at its log`];
  }
  if (/CERT|SELF_SIGNED|TLS|SSL|ISSUER/.test(code)) {
    return [
      'refused',
      `has a certificate that is not trusted here (${code}); name its authority by NODE_EXTRA_CA_CERTS`,
    ];
  }
  return ['unreachable', `cannot be reached (${code}); check that it runs, and the network between`];
}

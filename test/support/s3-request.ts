/** What an HTTP request asks of an S3 server, by its path (`/bucket/key`) and query. */
export interface S3Request {
  operation: S3Operation;
  bucket: string;
  /** Empty for what concerns the bucket. */
  key: string;
}

const operations = {
  'PUT object ?partNumber': 'UploadPart',
  'PUT object': 'PutObject',
  'POST object ?uploads': 'CreateMultipartUpload',
  'POST object ?uploadId': 'CompleteMultipartUpload',
  'DELETE object ?uploadId': 'AbortMultipartUpload',
  'DELETE object': 'DeleteObject',
  'GET object ?uploadId': 'ListParts',
  'GET object': 'GetObject',
  'HEAD object': 'HeadObject',
  'GET bucket ?uploads': 'ListMultipartUploads',
  'GET bucket ?location': 'GetBucketLocation',
  'GET bucket': 'ListObjects',
  'POST bucket ?delete': 'DeleteObjects',
  'HEAD bucket': 'HeadBucket',
  'PUT bucket': 'CreateBucket',
} as const;
export type S3Operation = (typeof operations)[keyof typeof operations] | 'other';

export function s3Request(method: string, target: string): S3Request {
  const { pathname, searchParams } = new URL(target, 'http://store');
  const [, bucket = '', ...rest] = decodeURIComponent(pathname).split('/');
  const key = rest.join('/');
  const words = `${method} ${key === '' ? 'bucket' : 'object'}`;
  const asked = ['partNumber', 'uploads', 'uploadId', 'location', 'delete'].map((name) =>
    searchParams.has(name) ? `${words} ?${name}` : '',
  );
  const found = [...asked, words].find((name): name is keyof typeof operations => name in operations);
  return { operation: found === undefined ? 'other' : operations[found], bucket, key };
}

/**
 * A request without what differs between two runs of the same test: the ids of runs, uploads and signatures. Two requests of one name ask for
 * the same thing.
 */
export function requestName(method: string, target: string): string {
  const { operation, key } = s3Request(method, target);
  const part = new URL(target, 'http://store').searchParams.get('partNumber');
  return [operation, key.replace(/run-[a-z0-9]{8}/, 'run'), ...(part === null ? [] : [part])].join(' ');
}

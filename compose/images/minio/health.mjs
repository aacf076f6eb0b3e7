/** The health check: whether MinIO serves. */
const answer = await fetch('http://127.0.0.1:9000/minio/health/ready').catch(() => null);
process.exit(answer?.ok ? 0 : 1);

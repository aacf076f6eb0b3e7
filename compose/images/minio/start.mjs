import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';

/**
 * Starts MinIO with the arguments given. Its password is what MINIO_ROOT_PASSWORD says, else the one in the file that
 * MINIO_ROOT_PASSWORD_FILE names, which is made at the first start: nobody runs on the password from MinIO's manual.
 */
const file = process.env.MINIO_ROOT_PASSWORD_FILE;
if (file === undefined) refuse('MINIO_ROOT_PASSWORD_FILE is not set; name the file that holds its password');
const given = process.env.MINIO_ROOT_PASSWORD ?? '';
if (given !== '' && given.length < 8) {
  refuse('MINIO_ROOT_PASSWORD has fewer than 8 characters; for example: openssl rand -hex 24');
}
// The control plane reads this file too, so what is given goes there as well.
if (given !== '') write(given);
else if (!existsSync(file)) write(randomBytes(24).toString('hex'));

const { MINIO_ROOT_PASSWORD: _, ...env } = process.env;
const minio = spawn('/usr/local/bin/minio', process.argv.slice(2), { stdio: 'inherit', env });
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => minio.kill(signal));
minio.on('exit', (code) => process.exit(code ?? 1));

function write(password) {
  writeFileSync(`${file}.new`, password, { mode: 0o640 });
  renameSync(`${file}.new`, file);
}

function refuse(why) {
  process.stderr.write(`minio: ${why}\n`);
  process.exit(64);
}

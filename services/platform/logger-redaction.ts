const SECRET_NAME = /(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/i;
const SHORTEST_SECRET = 6;
const HIDDEN = '[redacted]';

const patterns: readonly [RegExp, string][] = [
  // RFC 6750 bearer tokens, RFC 7617 basic credentials
  [/\b(Bearer\s+|Authorization\W{1,5}Basic\s+)[A-Za-z0-9._~+/=-]{6,}/gi, `$1${HIDDEN}`],
  // credentials in URLs (RFC 3986 userinfo)
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, `$1${HIDDEN}@`],
  // signatures of presigned URLs
  [/([?&](?:X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|Signature|token|key)=)[^&\s"']+/gi, `$1${HIDDEN}`],
  // fields named like a secret, in JSON and as key=value
  [/("[A-Za-z0-9_-]*(?:api_?key|token|secret|password|authorization)"\s*:\s*")(?:[^"\\]|\\.)+"/gi, `$1${HIDDEN}"`],
  [/\b([A-Za-z0-9_-]*(?:api_?key|token|secret|password))=(?!\[redacted\])[^\s&"']+/gi, `$1=${HIDDEN}`],
];

/**
 * A function that hides secrets in a finished log line: values of environment variables with a secret's name, bearer tokens, credentials in
 * URLs, signatures of presigned links, and fields named like a secret. Applied where lines are written, so that no caller has to think of it.
 */
export function createRedactor(env: Readonly<Record<string, string | undefined>>): (line: string) => string {
  const values = Object.entries(env)
    .filter(([name]) => SECRET_NAME.test(name))
    .map(([, value]) => value ?? '')
    .filter((value) => value.length >= SHORTEST_SECRET)
    .flatMap((value) => [value, JSON.stringify(value).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  return (line) => {
    let hidden = line;
    for (const value of values) hidden = hidden.replaceAll(value, HIDDEN);
    for (const [pattern, replacement] of patterns) hidden = hidden.replace(pattern, replacement);
    return hidden;
  };
}

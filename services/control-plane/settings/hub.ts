import { z } from 'zod';
import { refuseUrl } from '../../platform/address-policy.ts';
import type { ProxySettings } from '../../platform/proxy/choose-proxy.ts';
import type { HubAccess } from '../models/hub-request.ts';
import { list } from './values.ts';

const hubUrl = z.string().superRefine((text, { addIssue }) => {
  const refusal = refuseUrl(text);
  if (refusal !== null)
    addIssue({ code: 'custom', message: refusal.replace('http://localhost:8000/v1', 'https://huggingface.co') });
});

const PROXY_URL = 'must be the URL of an HTTP proxy without a path, such as http://proxy.example:3128';
const proxyUrl = z
  .string()
  .transform((text) => (text.includes('://') ? text : `http://${text}`))
  .refine((text) => URL.canParse(text), PROXY_URL)
  .transform((text) => new URL(text))
  .refine(({ protocol, pathname }) => /^https?:$/.test(protocol) && pathname === '/', PROXY_URL);

/** What is read from the environment about the hub that models come from, and the way there. */
export const hubEnvironment = {
  HF_ENDPOINT: hubUrl.default('https://huggingface.co'),
  HF_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be a token without spaces, such as hf_...')
    .optional(),
  HTTPS_PROXY: proxyUrl.optional(),
  HTTP_PROXY: proxyUrl.optional(),
  NO_PROXY: list(',').default([]),
};

export function readHub(env: z.output<z.ZodObject<typeof hubEnvironment>>): HubAccess {
  const proxies: ProxySettings = {
    https: env.HTTPS_PROXY ?? null,
    http: env.HTTP_PROXY ?? null,
    except: env.NO_PROXY,
  };
  return { endpoint: env.HF_ENDPOINT.replace(/\/+$/, ''), token: env.HF_TOKEN ?? null, proxies };
}

/** Proxies are written in either case; where both are there, programs go by the lower one. */
export function withUpperCaseProxies(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const lower = ['https_proxy', 'http_proxy', 'no_proxy'].filter((name) => environment[name]);
  return { ...environment, ...Object.fromEntries(lower.map((name) => [name.toUpperCase(), environment[name]])) };
}

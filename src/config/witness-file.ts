import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';

/** `witness.json` in a witness's own directory. Strict: what is not known here is an error. */
const schema = z.strictObject({
  listen: z
    .strictObject({ host: z.string().default('127.0.0.1'), port: z.int().min(0).max(65_535).default(7380) })
    .prefault({}),
  /** PEM files; without them plain HTTP is spoken, for a proxy in front. */
  tls: z.strictObject({ certificate: z.string(), key: z.string() }).optional(),
  /** Verifier keys of the logs that are watched. */
  logs: z.array(z.string()),
});

export type WitnessFileInput = z.input<typeof schema>;

export interface WitnessFile {
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
  readonly logs: readonly string[];
  /** `PRIVATE+KEY+…`: a secret. */
  readonly signingKey: string;
}

export const witnessFileName = 'witness.json';
export const witnessKeyName = 'witness.key';

/** Reads the configuration and the key of a witness. Throws an Error that names what is missing or wrong. */
export function readWitnessFile(home: string): WitnessFile {
  const file = join(home, witnessFileName);
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new Error(`${file} is not valid: ${z.prettifyError(parsed.error)}`);
  const { listen, tls, logs } = parsed.data;
  const pem = (path: string) => readFileSync(resolve(home, path), 'utf8');
  return {
    listen,
    tls: tls === undefined ? null : { certificate: pem(tls.certificate), key: pem(tls.key) },
    logs,
    signingKey: readFileSync(join(home, witnessKeyName), 'utf8').trim(),
  };
}

import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { InteropContext } from '../suite.ts';

const run = promisify(execFile);
const provider = 'github.com/hashicorp/terraform-provider-azurerm';
/** The release that the commit in go.mod follows; the module proxy knows no tag of it. */
export const providerVersion = '5.2.0';

/** Where Terraform finds the provider, or why there is none. */
export type Mirror =
  { readonly kind: 'found'; readonly directory: string } | { readonly kind: 'missing'; readonly why: string };

/**
 * A filesystem mirror with the unmodified provider azurerm, built from the module proxy and kept. It is one of the
 * largest programs in Go, so it is built only where the suite was asked for.
 */
export async function providerMirror(context: InteropContext): Promise<Mirror> {
  const { cacheDirectory, asked } = context;
  const directory = join(cacheDirectory, 'terraform', 'mirror');
  const target = `${platform()}_${arch() === 'x64' ? 'amd64' : arch()}`;
  const place = join(directory, 'registry.terraform.io', 'hashicorp', 'azurerm', providerVersion, target);
  const binary = join(place, `terraform-provider-azurerm_v${providerVersion}`);
  const stamp = join(cacheDirectory, 'terraform', '.modules');
  const wanted = createHash('sha256')
    .update(readFileSync(join(import.meta.dirname, 'go.sum')))
    .digest('hex');
  if (existsSync(binary) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted)
    return { kind: 'found', directory };
  if (!asked) {
    const why = `Terraform's provider azurerm is not built here, and building it takes long; npm run test:interop -- terraform builds it`;
    return { kind: 'missing', why };
  }
  context.log('building the provider azurerm, once; this takes a good while');
  const begun = Date.now();
  mkdirSync(place, { recursive: true });
  try {
    const build = ['build', '-trimpath', '-ldflags=-s -w', '-o', binary, provider];
    await run('go', build, { cwd: import.meta.dirname, timeout: 7_200_000, maxBuffer: 16 * 2 ** 20 });
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const reason = error instanceof Error ? error.message.slice(0, 2_000) : String(error);
    return {
      kind: 'missing',
      why: absent ? 'Go is not installed' : `the provider cannot be built: ${reason}`,
    };
  }
  writeFileSync(stamp, wanted);
  context.log(`built in ${Math.round((Date.now() - begun) / 1000)} s`);
  return { kind: 'found', directory };
}

// node scripts/pack-verifier.ts [DIRECTORY]: packs the verifier as the package @lockstep/ledger-verify; prints the archive.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Compiles and packs into `target`; answers the path of the archive. */
export function packVerifier(target: string): string {
  const staging = mkdtempSync(join(tmpdir(), 'lockstep-verifier-'));
  try {
    cpSync(join(root, 'packages', 'ledger-verify'), staging, { recursive: true });
    cpSync(join(root, 'LICENSE'), join(staging, 'LICENSE'));
    chmodSync(join(staging, 'bin', 'ledger-verify.js'), 0o755);
    const project = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        allowImportingTsExtensions: false,
        declaration: true,
        rootDir: join(root, 'src', 'ledger'),
        outDir: join(staging, 'dist'),
        typeRoots: [join(root, 'node_modules', '@types')],
      },
      include: [
        join(root, 'src/ledger/verify/*.ts'),
        join(root, 'src/ledger/sources/directory-source.ts'),
        join(root, 'src/ledger/sources/http-source.ts'),
      ],
      exclude: [join(root, 'src/ledger/**/*.test.ts')],
    };
    const config = join(staging, 'tsconfig.json');
    writeFileSync(config, JSON.stringify(project));
    execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config], { stdio: 'inherit' });
    rmSync(config);
    mkdirSync(target, { recursive: true });
    const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', target], {
      cwd: staging,
      encoding: 'utf8',
    });
    const [, filename = ''] = /"filename": "([^"]+)"/.exec(packed) ?? [];
    return join(target, filename.replace('@', '').replace('/', '-'));
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  console.log(packVerifier(resolve(process.argv[2] ?? 'dist-packages')));
}

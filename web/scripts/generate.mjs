// Writes src/protocol/types.ts from the server's own models (tools/protocol_schema.py); with --check only says whether it is up to date.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const web = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(web);
const target = join(web, 'src/protocol/types.ts');
const own = join(root, '.venv/bin/python');
const python = process.env.PYTHON ?? (existsSync(own) ? own : 'python3');

const run = spawnSync(python, [join(root, 'tools/protocol_schema.py')], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 32 * 1024 * 1024,
  env: { ...process.env, PYTHONPATH: root },
});
if (run.status !== 0) {
  process.stderr.write(run.stderr || String(run.error));
  process.exit(1);
}
const source = await compile(JSON.parse(run.stdout), 'Protocol', {
  additionalProperties: false,
  ignoreMinAndMaxItems: true,
  unreachableDefinitions: true,
  bannerComment: '// Made by `npm run generate` from the server\'s models. Do not edit.',
  style: { singleQuote: true, printWidth: 120 },
});
const text = source
  .replace(/\/\*\*\n \* This interface was referenced by `Protocol`'s JSON-Schema\n \* via the `definition` "[^"]*"\.\n \*\/\n/g, '')
  .replace(/ \*\n \* This interface was referenced by `Protocol`'s JSON-Schema\n \* via the `definition` "[^"]*"\.\n/g, '')
  .replace(/export interface Protocol \{\}\n/, '');

if (process.argv.includes('--check')) {
  const now = existsSync(target) ? readFileSync(target, 'utf8') : '';
  if (now !== text) {
    console.error('web/src/protocol/types.ts is out of date: run `npm run generate` in web/ and commit it.');
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}

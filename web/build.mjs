// Puts what the watch page needs beside its compiled scripts: `tsc -p web/tsconfig.json` runs first.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';

const page = new URL('watch/', import.meta.url);
const mpegts = new URL('../node_modules/mpegts.js/', import.meta.url);
const built = new URL('../dist/web/watch/', import.meta.url);

await mkdir(built, { recursive: true });
for (const name of ['index.html', 'watch.css']) await copyFile(new URL(name, page), new URL(name, built));

// The map is not served, so the line that points to it would only make a 404.
const script = await readFile(new URL('dist/mpegts.js', mpegts), 'utf8');
await writeFile(new URL('mpegts.js', built), script.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'));
const licences = await Promise.all(
  ['LICENSE', 'dist/mpegts.js.LICENSE.txt'].map((name) => readFile(new URL(name, mpegts), 'utf8')),
);
await writeFile(new URL('mpegts.js.LICENSE.txt', built), licences.join('\n'));

// Puts what the watch page needs beside its compiled scripts (`tsc -p web/tsconfig.json` runs first), and bundles the
// dashboard.
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { build } from 'vite';

const page = new URL('watch/', import.meta.url);
const mpegts = new URL('../node_modules/mpegts.js/', import.meta.url);
const built = new URL('../dist/web/', import.meta.url);

await mkdir(new URL('watch/', built), { recursive: true });
for (const name of ['index.html', 'watch.css']) {
  await copyFile(new URL(name, page), new URL(`watch/${name}`, built));
}

// The map is not served, so the line that points to it would only make a 404.
const script = await readFile(new URL('dist/mpegts.js', mpegts), 'utf8');
await writeFile(new URL('watch/mpegts.js', built), script.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'));
const licences = await textOf(mpegts, ['LICENSE', 'dist/mpegts.js.LICENSE.txt']);
await writeFile(new URL('watch/mpegts.js.LICENSE.txt', built), licences);

await build({
  root: fileURLToPath(new URL('dashboard/', import.meta.url)),
  configFile: false,
  envDir: false,
  logLevel: 'warn',
  // Relative, so that a proxy may serve it under a path of its own.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: fileURLToPath(new URL('dashboard/', built)),
    emptyOutDir: true,
    target: 'es2022',
    // Each would be an inline script or a data: address, which the page's policy forbids.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
const packages = await Promise.all(
  ['preact', 'uplot'].map(async (name) => {
    const folder = new URL(`../node_modules/${name}/`, import.meta.url);
    return `${name}\n\n${await textOf(folder, ['LICENSE'])}`;
  }),
);
const assets = new URL('dashboard/assets/', built);
await writeFile(new URL('licences.txt', assets), [...packages, `mpegts.js\n\n${licences}`].join('\n\n'));

// Packed once here, and not by each node for each reader.
for (const name of await readdir(assets)) {
  const packed = await promisify(gzip)(await readFile(new URL(name, assets)), { level: 9 });
  await writeFile(new URL(`${name}.gz`, assets), packed);
}

function textOf(folder, names) {
  return Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8'))).then((texts) =>
    texts.join('\n'),
  );
}

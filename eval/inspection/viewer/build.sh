#!/bin/sh
# Builds the viewer of reports from the npm packages that package-lock.json names, with their hashes.
set -eu
cd "$(dirname "$0")"
npm ci --silent --no-audit --no-fund
npx esbuild entry.js --bundle --minify --format=iife --global-name=niivue --log-level=error \
  --alias:zarrita=./no_zarr.js --outfile=niivue.js
{
  for name in @niivue/niivue gl-matrix nifti-reader-js fflate @lukeed/uuid array-equal @ungap/structured-clone; do
    folder="node_modules/$name"
    echo "== $name $(node -p "require('./$folder/package.json').version") =="
    case "$name" in @niivue/niivue) cat NIIVUE_LICENCE.txt ;; *) cat "$folder"/[Ll][Ii][Cc][Ee][Nn][Ss][Ee]* ;; esac
    echo
  done
} > LICENCES.txt
node -p "JSON.stringify({
  package: '@niivue/niivue',
  version: require('./node_modules/@niivue/niivue/package.json').version,
  integrity: require('./package-lock.json').packages['node_modules/@niivue/niivue'].integrity,
  licence: 'BSD-2-Clause',
  sha256: require('crypto').createHash('sha256').update(require('fs').readFileSync('niivue.js')).digest('hex'),
}, null, 2)" > source.json
gzip -9nf niivue.js
rm -r node_modules

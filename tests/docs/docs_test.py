#!/usr/bin/env python3
"""Runs what the documentation tells its readers to run, and holds its tables to the source.

Pages: README*.md and docs/*.md. In each page, one after the other, in a folder of its own that looks like a checkout after a build:
  ```sh run          is run by bash, which keeps its exported variables for the next block
  ```python run      is run by python3 (needs python3-numpy; without it the page's samples come from examples/fashion/prepare.py)
  ```cpp NAME        is written to the file NAME
  ```text output     is what the block before it must have printed
Blocks without those words are not run. Links between pages, and the headings they point to, must exist.
"""
import glob
import os
import re
import shlex
import subprocess
import tempfile
import unittest

import tables

FENCE = re.compile(r'^```(\w*) ?([^\n]*)\n(.*?)^```$', re.M | re.S)
LINK = re.compile(r'\]\(([^)#\s]*)(?:#([^)\s]*))?\)')
BUILT = os.getcwd()  # the runfiles: all that the commands need is in this test's data
# Stands in for ./bazelw in a page's folder: it knows 'run //:install', with the tools that are built already.
BAZELW = '''#!/bin/bash
[[ $1 == run && $2 == //:install && $3 == -- ]] || { echo "docs_test: cannot run: bazelw $*" >&2; exit 2; }
export BUILD_WORKING_DIRECTORY=$PWD
cd %s && exec tools/install/install.sh "${@:4}"
'''
PYTHON = '/usr/bin/python3'
PAGES = sorted(os.path.relpath(p, tables.ROOT) for pattern in ('*.md', 'docs/*.md', 'examples/*/*.md')
               for p in glob.glob(os.path.join(tables.ROOT, pattern)))


def has_numpy():
    return subprocess.run([PYTHON, '-c', 'import numpy'], stderr=subprocess.DEVNULL, check=False).returncode == 0


def anchors(page):
    """The anchors GitHub makes of a page's headings."""
    headings = re.findall(r'^#+ (.*)$', FENCE.sub('', tables.text_of(page)), re.M)
    return {re.sub(r'[^\w\- ]', '', h.lower()).replace(' ', '-') for h in headings}


class Checkout:
    """A folder in which the commands of one page run."""

    def __init__(self, folder):
        self.folder = folder
        self.printed = ''
        os.symlink(os.path.join(tables.ROOT, 'examples'), os.path.join(folder, 'examples'))
        self.write('bazelw', BAZELW % shlex.quote(BUILT))
        os.chmod(os.path.join(folder, 'bazelw'), 0o755)
        self.write('.env', '')

    def write(self, name, text):
        with open(os.path.join(self.folder, name), 'w', encoding='utf-8') as f:
            f.write(text)

    def run(self, language, text):
        if language == 'python' and not has_numpy():
            command = [PYTHON, 'examples/fashion/prepare.py', '.']
        else:
            # What a block exports is there in the next one, as in a reader's shell.
            shell = '. ./.env; set -euo pipefail; %s\nexport -p >.env' % text
            command = {'sh': ['bash', '-c', shell], 'python': [PYTHON, '-c', text]}[language]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.printed = done.stdout.decode()
        return done.returncode


class Docs(unittest.TestCase):

    def test_commands(self):
        ran = 0
        for page in PAGES:
            with tempfile.TemporaryDirectory() as folder:
                checkout = Checkout(folder)
                for language, words, text in FENCE.findall(tables.text_of(page)):
                    if words == 'run':
                        status = checkout.run(language, text)
                        self.assertEqual(status, 0, '%s:\n%s\nprinted\n%s' % (page, text, checkout.printed))
                        ran += 1
                    elif language == 'text' and words == 'output':
                        self.assertEqual(checkout.printed, text, page)
                    elif language == 'cpp' and words:
                        checkout.write(words, text)
        self.assertGreaterEqual(ran, 4)

    def test_tables(self):
        done = subprocess.run([PYTHON, os.path.join(tables.ROOT, 'tests/docs/tables.py')], stdout=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_links(self):
        for page in PAGES:
            for path, anchor in LINK.findall(FENCE.sub('', tables.text_of(page))):
                if '://' in path:
                    continue
                target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                self.assertTrue(os.path.exists(os.path.join(tables.ROOT, target)), '%s: link to %s' % (page, path))
                if anchor:
                    self.assertIn(anchor, anchors(target), '%s: link to %s#%s' % (page, path, anchor))

    def test_paths_exist(self):
        """`path/to/file` in backticks that looks like a path of this repository is one."""
        rooms = '|'.join(sorted(name for name in os.listdir(tables.ROOT) if os.path.isdir(os.path.join(tables.ROOT, name)) and not name.startswith(('.', 'bazel-'))))
        for page in PAGES:
            if page.startswith('examples'):
                continue
            for path in re.findall(r'`/{0,2}((?:%s)/[\w./-]*\w)`' % rooms, FENCE.sub('', tables.text_of(page))):
                pattern = re.sub(r'[A-Z]{2,}(?=\.)', '*', path)  # NAME.BUILD
                self.assertTrue(glob.glob(os.path.join(tables.ROOT, pattern)), '%s: `%s` does not exist' % (page, path))


if __name__ == '__main__':
    unittest.main()

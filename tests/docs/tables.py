#!/usr/bin/env python3
"""Tables of the documentation that come from tables of the source.

  tables.py          prints the names of the pages whose tables are not what the source says; exit status 1 when there are any
  tables.py --write  rewrites them

A page marks the place with the lines <!-- table: NAME --> and <!-- end -->; NAME is a function of TABLES below.
"""
import ast
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BLOCK = re.compile(r'(<!-- table: (\w+) -->\n).*?(<!-- end -->\n)', re.S)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|[(),]|[^"(),/]+|/')


def text_of(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        return f.read()


def rows(path, macro):
    """The arguments of each use of an X-macro, strings unquoted."""
    source = re.sub(r'^#.*(\\\n.*)*$', '', text_of(path), flags=re.M)
    found = []
    for match in re.finditer(r'^%s\(' % macro, source, re.M):
        arguments, depth = [''], 1
        for token in TOKEN.findall(source, match.end()):
            if token.startswith('//'):
                continue
            depth += {'(': 1, ')': -1}.get(token, 0)
            if depth == 0:
                break
            if token == ',' and depth == 1:
                arguments.append('')
            else:
                arguments[-1] += token
        found.append([unquote(a.strip()) for a in arguments])
    if not found:
        sys.exit('tables.py: no %s rows in %s' % (macro, path))
    return found


def unquote(text):
    return ast.literal_eval('(' + text + ')') if text.startswith('"') else text


def table(head, lines):
    cells = [head, ['---'] * len(head)] + lines
    return ''.join('| ' + ' | '.join(c.replace('|', '\\|') for c in line) + ' |\n' for line in cells)


def atc_flags():
    flags = rows('tools/atc/atc_flags.inc', 'OMKIT_ATC_FLAG')
    values = lambda row: ' '.join('`%s`' % v for v in row[3].split('|')) if row[3] else row[1].lower()
    known = [['`--%s`' % r[0], values(r), '`%s`' % r[2] if r[2] else '', r[5]] for r in flags if r[4] == 'Implemented']
    names = lambda status: ', '.join('`--%s`' % r[0] for r in flags if r[4] == status)
    return (table(['flag', 'values', 'default', 'meaning'], known) +
            '\nChecked against the documented values and then without effect on this target: %s.\n' % names('NoEffect') +
            '\nKnown and refused, because the feature does not exist here: %s.\n' % ', '.join(filter(None, (names('Rejected'), names('Removed')))))


def chips():
    socs = [['`%s`' % name, description] for name, _, description in rows('runtime/socs.inc', 'SOC')]
    aliases = ', '.join('`%s`' % r[0] for r in rows('runtime/socs.inc', 'ALIAS'))
    return table(['`--soc_version`', 'what'], socs) + '\nTaken for `host`: %s.\n' % aliases


ACL_HEADERS = ('acl.h', 'acl_base.h', 'acl_rt.h', 'acl_mdl.h', 'acl_op.h', 'acl_prof.h', 'acl_dump.h', 'ops/acl_dvpp.h', 'ops/acl_cblas.h')


def acl_functions():
    lines = []
    for header in ACL_HEADERS:
        names = re.findall(r'^ACL_FUNC_VISIBILITY\s[^;(]*?(\w+)\(', text_of('runtime/acl/include/acl/' + header), re.M)
        lines.append(['`acl/%s`' % header, str(len(names)), ' '.join('`%s`' % n for n in names)])
    return table(['header', 'functions', ''], lines)


TABLES = {f.__name__: f for f in (atc_flags, chips, acl_functions)}


def main():
    write = sys.argv[1:] == ['--write']
    stale = []
    for folder in ('.', 'docs'):
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            path = os.path.normpath(os.path.join(folder, name))
            if not name.endswith('.md'):
                continue
            old = text_of(path)
            new = BLOCK.sub(lambda m: m[1] + '\n' + TABLES[m[2]]() + '\n' + m[3], old)
            if new == old:
                continue
            stale.append(path)
            if write:
                with open(os.path.join(ROOT, path), 'w', encoding='utf-8') as f:
                    f.write(new)
    if stale:
        print(('rewrote ' if write else 'run tests/docs/tables.py --write; out of date: ') + ' '.join(stale))
    sys.exit(bool(stale) and not write)


if __name__ == '__main__':
    main()

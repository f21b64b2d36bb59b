#!/usr/bin/env python3
"""Writes src/schema_table.txt, the operator schemas that the crate embeds, from the schemas of the onnx package as JSON.

    make_schema_table.py SCHEMAS.json [--check]

SCHEMAS.json holds every version of every ai.onnx operator from the one in force at opset 7 on:

    {"onnx": .., "opset": .., "dtypes": {code: name}, "types": [[code, ..], ..], "ops": {name: [version, ..]}}

A type code is that of a tensor, or one wrapped in s(..) for a sequence, o(..) for an optional, o(s(..)) for both.
A version has "v" its number, "i" and "o" its inputs and outputs as [name, type variable or code, kind], "a" its attributes
as [name, kind, "!" or [default]], "t" type variables as indices into "types", "n" and "m" limits on the numbers of inputs
and outputs where they do not follow from the lists, and "x" when the version is deprecated. A kind is absent for a required
one, "?" for an optional one, "*" for a variadic one, with the least number behind it unless that is 1, and with "h" at the
end when the types may differ.

The table is documented in its own head, which this script writes. With --check nothing is written, and the status is 1 when
the file differs from what would be.
"""

import argparse
import json
import pathlib
import re
import sys

HEAD = """\
# Operator schemas of ai.onnx, every version from the one in force at opset 7 on. Written by tools/make_schema_table.py; do not edit.
#
# opset N        the newest operator set, and the release of onnx that the schemas were taken from
# types T..      a set of types; sets are numbered from 0. A number is that of a data type, for a tensor of it;
#                s before it means a sequence of such tensors, o an optional one, os an optional sequence
# op NAME        an operator; its versions follow, oldest first
# V|N|M|I|O|A    a version: its number, with x behind it when deprecated; least-most inputs and outputs, * for no limit;
#                inputs and outputs, as name:variable=set and ? for optional, * for variadic, ** for variadic of several types;
#                attributes, as name:type, then ! for required or =default
"""

# The numbers of TensorProto.DataType.
NUMBERS = {
    "float": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "string": 8, "bool": 9, "float16": 10,
    "double": 11, "uint32": 12, "uint64": 13, "complex64": 14, "complex128": 15, "bfloat16": 16, "float8e4m3fn": 17,
    "float8e4m3fnuz": 18, "float8e5m2": 19, "float8e5m2fnuz": 20, "uint4": 21, "int4": 22, "float4e2m1": 23, "float8e8m0": 24,
    "uint2": 25, "int2": 26, "float6e2m3": 27, "float6e3m2": 28,
}  # fmt: skip

WRAPPERS = {"": "", "s(": "s", "o(": "o", "o(s(": "os"}


class Table:
    """The lines of the table, and the pool of type sets that they refer to."""

    def __init__(self, schemas):
        self.codes = schemas["dtypes"]
        self.sets = {}
        self.pool = [self.set_of(codes) for codes in schemas["types"]]
        self.operators = [line for name in sorted(schemas["ops"]) for line in self.operator(name, schemas["ops"][name])]
        self.opset = f"opset {schemas['opset']} {schemas['onnx']}"

    def text(self):
        sets = [f"types {' '.join(types)}" for types in self.sets]
        return HEAD + "\n".join([self.opset, *sets, *self.operators]) + "\n"

    def set_of(self, codes):
        """The index of a set of type codes, which is added when it is new."""
        types = tuple(f"{wrap}{number}" for wrap, number in sorted(map(self.type_of, codes)))
        return self.sets.setdefault(types, len(self.sets))

    def type_of(self, code):
        wrapper, bare = re.fullmatch(r"((?:[a-z]+\()*)([a-z0-9]+)\)*", code).groups()
        return WRAPPERS[wrapper], NUMBERS[self.codes[bare]]

    def operator(self, name, versions):
        yield f"op {name}"
        for version in versions:
            since = f"{version['v']}{'x' if version.get('x') else ''}"
            inputs, outputs = (self.formals(version[side], version.get("t", {})) for side in "io")
            attributes = " ".join(map(attribute, version.get("a", [])))
            least_most = limits(version["i"], version.get("n")), limits(version["o"], version.get("m"))
            yield "|".join([since, *least_most, inputs, outputs, attributes])

    def formals(self, rows, variables):
        return " ".join(self.formal(*row, variables=variables) for row in rows)

    def formal(self, name, declared, kind="", *, variables):
        if declared in variables:
            variable, types = declared, self.pool[variables[declared]]
        else:
            variable, types = "", self.set_of([declared])
        suffix = {"": "", "?": "?", "*": "**" if kind.endswith("h") else "*"}[kind[:1]]
        return f"{word(name)}:{variable}={types}{suffix}"


def limits(rows, stated):
    """The least and the most arguments, from the list of formals unless stated."""
    kinds = [row[2] if len(row) > 2 else "" for row in rows]
    variadic = [kind for kind in kinds if kind.startswith("*")]
    arity = sum(int(re.search(r"\d+", kind)[0]) if re.search(r"\d", kind) else 1 for kind in variadic)
    least, most = stated or (kinds.count("") + arity, None if variadic else len(rows))
    return f"{least}-{'*' if most is None else most}"


def attribute(row):
    name, kind, *rest = row
    start = f"{word(name)}:{kind}"
    if not rest:
        return start
    if rest[0] == "!":
        return start + "!"
    default = rest[0][0]
    items = default if isinstance(default, list) else [default]
    return f"{start}={','.join(word(item if isinstance(item, str) else json.dumps(item)) for item in items)}"


def word(text):
    """The text, which must not hold what separates words in the table."""
    if re.search(r"[\s|,:=!]", text):
        sys.exit(f"{text!r} holds a separator of the table; choose another separator")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("schemas", type=pathlib.Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the table is not up to date")
    arguments = parser.parse_args()
    target = pathlib.Path(__file__).resolve().parent.parent / "src" / "schema_table.txt"
    text = Table(json.loads(arguments.schemas.read_text())).text()
    if not arguments.check:
        target.write_text(text)
    elif target.read_text() != text:
        sys.exit(f"{target} is not what {arguments.schemas} gives; run without --check")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes the tables of ATTRIBUTION.md.

    attribution.py MANIFEST.tsv            prints the file anew
    attribution.py MANIFEST.tsv > ATTRIBUTION.md

The manifest names source, licence and folder of each training crop.
SPDX-License-Identifier: MIT
"""
import collections
import csv
import pathlib
import sys

MARK = "<!-- from here on written by attribution.py -->"
HOSTS = {
    "github": ("https://github.com/{}", "{}"),
    "debian": ("https://packages.debian.org/bookworm/{}", "Debian: {}"),
}


def link(source):
    host, _, name = source.partition(":")
    address, title = HOSTS[host]
    return "[{}]({})".format(title.format(name), address.format(name))


def main():
    here = pathlib.Path(__file__).resolve().parent / "ATTRIBUTION.md"
    position = here.read_text().split(MARK)[0]
    folders = collections.defaultdict(collections.Counter)
    originals = collections.defaultdict(set)
    with open(sys.argv[1], newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            folder = row["file"].split("/")[0]
            key = row["source"], row["licence"]
            folders[folder][key] += 1
            originals[folder, key].add(row["orig_path"])

    print(position + MARK)
    for folder in sorted(folders, reverse=True):
        counts = folders[folder]
        total = sum(counts.values())
        print("\n## `{}`: {} crops\n".format(folder, total))
        print("| source | licence as stated there | pictures | crops |")
        print("|---|---|--:|--:|")
        for key, count in sorted(
            counts.items(), key=lambda item: (-item[1], item[0])
        ):
            print(
                "| {} | {} | {} | {} |".format(
                    link(key[0]), key[1], len(originals[folder, key]), count
                )
            )


main()

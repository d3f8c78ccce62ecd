#!/usr/bin/env python3
"""Writes what the binary is made of: a CycloneDX bill of materials, and the licences' texts.

    bill.py TARGET EPOCH SBOM LICENCES

Cargo itself says which crates are linked for a target (`cargo tree`), and the lock file their checksums. Nothing in either file
depends on when or where it is made.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import time
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = "brooklet"
# Where crates keep the texts of their licences, C code that they bring along included.
TEXTS = ("LICEN[SC]E*", "COPYING*", "COPYRIGHT*", "NOTICE*", "UNLICENSE*", "*/LICEN[SC]E*", "*/COPYING*")
# What is linked besides crates. Brooklet's sources are published with the script that links them, as the LGPL asks.
LINKED = (
    ("Rust's standard library", "MIT OR Apache-2.0", "rustc"),
    ("GNU C library", "LGPL-2.1-or-later", "glibc"),
)
GLIBC_TEXTS = ("/usr/share/doc/libc6-dev/copyright", "/usr/share/doc/libc6/copyright", "/usr/share/common-licenses/LGPL-2.1")


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def linked(target):
    """(name, version) of every crate whose code is in the binary: neither build scripts nor procedural macros."""
    tree = cargo("tree", "--locked", "--package", PACKAGE, "--target", target, "--edges", "normal,no-proc-macro",
                 "--prefix", "none", "--format", "{p}")
    return sorted({(line.split()[0], line.split()[1].removeprefix("v")) for line in tree.splitlines() if line})


def crates(target):
    metadata = json.loads(cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    return [packages[crate] for crate in linked(target)]


def bill(packages, epoch):
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in lock["package"]}

    def component(package):
        name, version = package["name"], package["version"]
        made = {"type": "library", "bom-ref": f"{name}@{version}", "name": name, "version": version}
        if package["license"]:
            made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if checksum := checksums[name, version]:
            made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
            made["purl"] = f"pkg:cargo/{name}@{version}"
        return made

    components = [component(package) for package in packages]
    own = next(made for made in components if made["name"] == PACKAGE)
    contents = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch)),
            "component": own | {"type": "application"},
        },
        "components": [made for made in components if made is not own],
    }
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).digest()
    return contents | {"serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}"}


def licences(packages):
    """The texts, each once, after the names of those who use it."""
    users = {}
    for package in packages:
        folder = pathlib.Path(package["manifest_path"]).parent
        folder = ROOT if ROOT in folder.parents else folder
        name = f"{package['name']} {package['version']} ({package['license']})"
        texts = {text for pattern in TEXTS for text in folder.glob(pattern) if text.is_file() and text.suffix not in (".rs", ".py")}
        for text in texts:
            users.setdefault(text.read_text(encoding="utf-8", errors="replace").strip(), set()).add(name)
        if not texts:
            users.setdefault("(The crate comes without a text; its licence is the one named above.)", set()).add(name)
    for name, licence, what in LINKED:
        for text in rust_texts() if what == "rustc" else glibc_texts():
            users.setdefault(text.strip(), set()).add(f"{name} ({licence})")
    parts = sorted(("\n".join(sorted(names)), text) for text, names in users.items())
    rule = "\n\n" + "=" * 78 + "\n\n"
    return rule.join(f"{names}\n\n{text}" for names, text in parts) + "\n"


def rust_texts():
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    folder = pathlib.Path(sysroot) / "share/doc/rust/licenses"
    return [(folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("MIT", "Apache-2.0")]


def glibc_texts():
    found = [pathlib.Path(path) for path in GLIBC_TEXTS if pathlib.Path(path).exists()]
    return [path.read_text(encoding="utf-8", errors="replace") for path in found]


def main():
    target, epoch, sbom, texts = sys.argv[1:]
    packages = crates(target)
    pathlib.Path(sbom).write_text(json.dumps(bill(packages, int(epoch)), indent=1) + "\n", encoding="utf-8")
    pathlib.Path(texts).write_text(licences(packages), encoding="utf-8")


main()

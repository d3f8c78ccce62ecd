#!/usr/bin/env python3
"""Writes JSON schemas that kubeconform reads, one a kind, each complete in itself and closed: an unknown field is an error.

    schemas.py kubernetes WHEEL VERSION OUT     Kubernetes' kinds, out of the package kubernetes-validate
    schemas.py definitions OUT FILE...          custom resources, from their definitions
    schemas.py served OUT FILE...               those definitions as YAML, all versions of a kind served together

Names are KIND-GROUP-VERSION.json in small letters, without a group for the core's.
"""
import json
import pathlib
import sys
import zipfile

import yaml


def write(out, kind, group, version, schema):
    out.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{group}-{version}.json".lower()
    (out / name).write_text(json.dumps(schema), encoding="utf-8")


def kubernetes(wheel, version, out):
    with zipfile.ZipFile(wheel) as package:
        folder = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"
        definitions = json.loads(package.read(folder + "_definitions.json"))["$defs"]
        for name in sorted(package.namelist()):
            if not name.startswith(folder) or name.endswith(("/_definitions.json", "/all.json")):
                continue
            schema = json.loads(package.read(name))
            kinds = schema.get("x-kubernetes-group-version-kind", [])
            # Parts of objects have a file, too; what can be applied has its kind and metadata.
            if len(kinds) != 1 or "metadata" not in schema.get("properties", {}):
                continue
            schema.pop("$id", None)
            reached = {}
            gather(schema, definitions, reached)
            schema["$defs"] = reached
            kind = kinds[0]
            write(out, kind["kind"], kind["group"], kind["version"], schema)


def gather(node, definitions, reached):
    """Takes along what is referred to, and makes each reference one within the same file."""
    if isinstance(node, list):
        for item in node:
            gather(item, definitions, reached)
    if not isinstance(node, dict):
        return
    reference = node.get("$ref")
    if isinstance(reference, str) and "#/$defs/" in reference:
        name = reference.split("#/$defs/")[1]
        node["$ref"] = "#/$defs/" + name
        if name not in reached:
            reached[name] = json.loads(json.dumps(definitions[name]))
            gather(reached[name], definitions, reached)
    for value in list(node.values()):
        gather(value, definitions, reached)


def definitions(out, files):
    for file in files:
        for definition in yaml.safe_load_all(pathlib.Path(file).read_text(encoding="utf-8")):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = closed(version["schema"]["openAPIV3Schema"])
                for name, kind in (("apiVersion", "string"), ("kind", "string"), ("metadata", "object")):
                    schema["properties"][name] = {"type": kind}
                write(out, spec["names"]["kind"], spec["group"], version["name"], schema)


def served(out, files):
    kinds = {}
    for file in files:
        for definition in yaml.safe_load_all(pathlib.Path(file).read_text(encoding="utf-8")):
            kind = kinds.setdefault(definition["metadata"]["name"], definition)
            if kind is not definition:
                kind["spec"]["versions"] += [version | {"storage": False} for version in definition["spec"]["versions"]]
    for name, definition in kinds.items():
        (out / f"{name}.yaml").write_text(yaml.safe_dump(definition), encoding="utf-8")


def closed(schema):
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = closed(schema["additionalProperties"])
    if isinstance(schema.get("items"), dict):
        schema["items"] = closed(schema["items"])
    if "properties" in schema:
        schema["properties"] = {name: closed(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    return schema


match sys.argv[1:]:
    case ["kubernetes", wheel, version, out]:
        kubernetes(wheel, version, pathlib.Path(out))
    case ["definitions", out, *files]:
        definitions(pathlib.Path(out), files)
    case ["served", out, *files]:
        served(pathlib.Path(out), files)
    case _:
        sys.exit(__doc__)
